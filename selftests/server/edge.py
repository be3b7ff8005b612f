# SPDX-License-Identifier: MIT
"""Drives build/tools/fake_edge: an edge of any kind, without forwarding."""
import json
import os
import select
import subprocess
import time

from rig import BUILD, PATIENCE, equal

TOOL = os.path.join(BUILD, "tools", "fake_edge")
OURS = ("rule-update", "sni", "rule-options", "source-options", "range-targets", "stats-request", "replay-done", "version=9.9.9", "accounting=bpf")


def enroll(server, name="edge-01", **more):
    """Offers a code and redeems it; returns the bundle."""
    a = server.post("/v1/client-enrollments", {"name": name, **more})
    equal(a.status, 201, a.body)
    return redeem(a.json["uri"])[0]


def redeem(uri):
    out = subprocess.run([TOOL, "enroll", uri], capture_output=True, text=True, timeout=20, check=False).stdout
    return [json.loads(line) for line in out.splitlines()]


class Edge:
    def __init__(self, bundle, version="0.7.0", capabilities=OURS, token=None, greet=True, endpoint=None):
        argv = [TOOL, "run", endpoint or bundle["server_endpoint"], bundle["server_cert_sha256"],
                bundle["token"] if token is None else token, version, *capabilities]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events, self.partial = [], b""
        if greet:
            self.wait("welcome")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def read(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        *lines, self.partial = (self.partial + data).split(b"\n")
        self.events += [json.loads(line) for line in lines]
        return data != b""

    def wait(self, name, seconds=5.0, **match):
        """The next event of that name; takes it and what came before it off the list."""
        end = time.monotonic() + seconds * PATIENCE
        seen = 0
        while True:
            for i, e in enumerate(self.events[seen:], seen):
                if e["event"] == name and all(e.get(k) == v for k, v in match.items()):
                    del self.events[:i + 1]
                    return e
            seen = len(self.events)
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError(f"the edge got no {name} {match}: {self.events[-5:]}")

    def none(self, name, seconds=0.3):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
        if any(e["event"] == name for e in self.events):
            raise AssertionError(f"the edge got a {name}")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
