# SPDX-License-Identifier: MIT
"""A server that says what a case tells it to, and the edge that is connected to it."""
import json
import os

import edge
import lib

TOOL = os.path.join(lib.BUILD, "tools", "control_server")
FAST = ["--reconnect-initial-delay-ms", "100", "--reconnect-max-delay-secs", "1"]


class Server:
    """control_server in the edge's namespace. Stopped and started again it is the same server."""

    def __init__(self, t, ns=None):
        self.t, self.ns = t, ns or t.lab.edge
        self.dir = os.path.join(t.tmp, "server")
        os.makedirs(self.dir, exist_ok=True)
        self.port = lib.free_port()
        self.bundle = os.path.join(self.dir, "client.bundle.json")
        self.start()

    def start(self):
        self.p = self.t.spawn([TOOL, self.dir, f"127.0.0.1:{self.port}"], ns=self.ns, stdin=True)
        self.uri = self.p.expect("listening")["uri"]

    def do(self, what, **fields):
        self.p.say(json.dumps({"do": what, **fields}) + "\n")

    def push(self, rule, request_id="r1", **more):
        since = self.p.mark()
        self.do("push", rule=rule, request_id=request_id, **more)
        return self.p.expect("status", since, request_id=request_id)

    def report(self, since=0, seconds=8, **fields):
        return self.p.expect("report", since, seconds=seconds, **fields)

    def stats(self, number, *rules):
        since = self.p.mark()
        self.do("stats", request_id=number, rules=list(rules))
        return self.report(since, request_id=number)

    def crash(self):
        self.p.kill()


class Client(edge.Edge):
    """The edge, with a bundle in place of a file of rules."""

    def __init__(self, t, server, *, args=(), **more):
        super().__init__(t, None, args=[*FAST, *args], **more)
        self.server = server
        self.bundle = server.bundle

    def spawn(self):
        argv = [lib.CLIENT, "--bundle", self.bundle, "--instance", self.instance,
                "--state-dir", self.dir, "--status-socket", self.socket, *self.args]
        self.p = self.t.spawn(argv, ns=self.ns, env=self.env, wrap=self.wrap, unread=self.unread)
        return self

    def connect(self):
        since = self.server.p.mark()
        self.start(active=False)
        self.server.p.expect("hello", since)
        self.p.expect("control.connected")
        return self
