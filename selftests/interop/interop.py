# SPDX-License-Identifier: MIT
"""What the tests of this folder share: named cases, processes that print their port, our own peer."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))
from cases import BUILD, ROOT, case, cases, equal, free_port, run, until  # pylint: disable=wrong-import-position,unused-import

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = os.path.join(BUILD, "tools", "grpc_peer")
SECONDS = 30


def skip(what, why):
    print(f"skip 1 {what}: {why}\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def need_node(what):
    """Ends the test file as skipped where @grpc/grpc-js cannot be run."""
    why = os.environ.get("INTEROP_NO_NODE")
    if why:
        skip(what, why)


class Server:
    """A process that prints its port first."""

    def __init__(self, *argv):
        self.p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.port = self.p.stdout.readline().strip()
        if not self.port.isdigit():
            raise AssertionError(f"{argv[0]} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()
        self.p.stdout.close()

    def end(self, signum):
        self.p.send_signal(signum)
        return self.p.wait(timeout=10)


class Peers:
    def __init__(self, tmp):
        self.dir = tmp
        self.pin = subprocess.run([PEER, "cert", tmp], stdout=subprocess.PIPE, text=True,
                                  check=True).stdout.strip()

    def ours(self, *more):
        return Server(PEER, "serve", self.dir, *more)

    def start(self, server, path, calls=1, messages=1, size=5, hold_ms=0, ping_ms=0, pin=None):
        return subprocess.Popen([PEER, "call", server.port, pin or self.pin, path, str(calls),
                                 str(messages), str(size), str(hold_ms), str(ping_ms)],
                                stdout=subprocess.PIPE, text=True)

    def call(self, *args, **kwargs):
        with self.start(*args, **kwargs) as p:
            return self.result(p)

    @staticmethod
    def result(p):
        try:
            out, _ = p.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            p.kill()
            raise AssertionError("the client did not end") from None
        equal(p.returncode, 0, "exit")
        return json.loads(out)


def main(peers_class=Peers):
    """Runs the cases, each with the same peers."""
    with tempfile.TemporaryDirectory(prefix="portunus-interop-") as tmp:
        run(peers_class(tmp))
