#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks for what is refused, as fast as it is answered: flood.py HOST:PORT CONNECTIONS SECONDS.

Each connection sends some requests at once and the next ones when these are answered; one that is
closed is made anew. Prints how many answers came.
"""
import selectors
import socket
import subprocess
import sys
import time

PIPELINED = 20
REQUESTS = b"".join(b"GET /v1/rules/%d HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\n\r\n" % i
                    for i in range(PIPELINED))


class Flood:
    """Runs this file beside a test."""

    def __init__(self, endpoint, connections, seconds):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([sys.executable, __file__, endpoint, str(connections), str(seconds)],
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def answers(self):
        """Waits for its end."""
        return int(self.process.communicate()[0])


def connect(where, sel):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(where)
    sel.register(s, selectors.EVENT_WRITE, [0])


def run(where, connections, seconds):
    sel, answers = selectors.DefaultSelector(), 0
    for _ in range(connections):
        connect(where, sel)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, event in sel.select(0.1):
            s, left = key.fileobj, key.data
            try:
                if event & selectors.EVENT_WRITE:
                    s.send(REQUESTS)
                    left[0] = PIPELINED
                    sel.modify(s, selectors.EVENT_READ, left)
                    continue
                data = s.recv(65536)
            except OSError:
                data = b""
            n = data.count(b"HTTP/1.1 ")
            answers += n
            left[0] -= n
            if not data:
                sel.unregister(s)
                s.close()
                connect(where, sel)
            elif left[0] <= 0:
                sel.modify(s, selectors.EVENT_WRITE, left)
    print(answers)


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    run((host, int(port)), int(sys.argv[2]), float(sys.argv[3]))
