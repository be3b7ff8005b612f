# SPDX-License-Identifier: MIT
"""portunus-standalone as the tests drive it: its file, start and stop, reload, its stats socket."""
import json
import os
import re
import signal
import socket

import lib
from edge import Edge

PROGRAM = os.path.abspath(re.sub(r"client$", "standalone", lib.CLIENT))


def needs_standalone():
    if not os.access(PROGRAM, os.X_OK):
        raise lib.Skip(f"{os.path.relpath(PROGRAM, lib.ROOT)} is not built")


class Standalone(Edge):
    """One process with its own file. head: text before [stats], which has the socket; the rest is text."""

    def __init__(self, t, text, *, head='[global]\nlog_level = "debug"\n', stats="", args=(), **kw):
        super().__init__(t, None, args=args, **kw)
        self.head, self.stats_keys = head, stats
        self.feed = os.path.join(self.dir, "stats.sock")
        self.rules_file = os.path.join(self.dir, "portunus.toml")
        self.write(text)

    def write(self, text):
        with open(self.rules_file, "w", encoding="utf-8") as f:
            f.write(f'{self.head}\n[stats]\nsocket_path = "{self.feed}"\n{self.stats_keys}\n\n{text}')

    def spawn(self):
        self.p = self.t.spawn([PROGRAM, "-c", self.rules_file, "--instance", self.instance, "--status-socket",
                               self.socket, *self.args], ns=self.ns, env=self.env, wrap=self.wrap)
        return self

    def start(self, active=True):
        super().start(active=False)
        lib.until(lambda: os.path.exists(self.feed), "the stats socket")
        return self

    def once(self, *args, ok=True):
        return self.t.run([PROGRAM, "stats", "--socket", self.feed, "--once", *args], ns=self.ns, ok=ok)

    def snapshot(self, name=None):
        """(hello, snapshot), or with a name its rows in both."""
        both = json.loads(self.once().stdout())
        if name is None:
            return both["hello"], both["snapshot"]
        rule = next(r for r in both["hello"]["rules"] if r["name"] == name)
        return rule, next(r for r in both["snapshot"]["r"] if r["id"] == rule["id"])


class Reader:
    """A connection to the stats socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(8)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self):
        """The next line's JSON; None at the end."""
        try:
            text = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(text) if text else None


def run(t, *args, ok=True, **kw):
    return t.run([PROGRAM, *args], ok=ok, **kw)


def stop_now(p):
    p.signal(signal.SIGTERM)
    return p.wait(10)
