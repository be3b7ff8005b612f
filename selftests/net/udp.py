# SPDX-License-Identifier: MIT
"""Datagram peers: targets that say their name, and clients that ask."""
import socket
import threading

import lib


class Target:
    """Answers each datagram with its name, a colon and the datagram; `mute` takes them silently."""

    def __init__(self, t, name, host, port=None, mute=False):
        self.t, self.name, self.host, self.mute = t, name, host, mute
        self.port = port or lib.free_port()
        self.got = []      # (source, data)
        self.s = self.thread = None
        self.start()
        t.defer(self.stop)

    @property
    def address(self):
        return (self.host, self.port)

    def start(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.s = self.t.lab.targets.socket(family, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.s.bind((self.host, self.port))
        self.thread = threading.Thread(target=self._serve, args=(self.s,), daemon=True)
        self.thread.start()

    def _serve(self, s):
        while True:
            try:
                data, source = s.recvfrom(65536)
            except OSError:
                return
            if source is None:  # shut down
                return
            self.got.append((source, data))
            if not self.mute:
                try:
                    s.sendto(self.name.encode() + b":" + data[:65000], source)
                except OSError:
                    pass

    def stop(self):
        if self.s:
            s, self.s = self.s, None
            try:
                s.shutdown(socket.SHUT_RDWR)  # wakes the thread; a datagram socket says ENOTCONN
            except OSError:
                pass
            self.thread.join()  # while it is in a call the port is not closed
            s.close()


def client(t, to, seconds=5, bind=None):
    """A connected datagram socket: only answers from the address that was asked come in."""
    s = t.lab.client.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(seconds)
    if bind:
        s.bind(bind)
    s.connect(to)
    t.defer(s.close)
    return s


def ask(s, data=b"x"):
    s.send(data)
    return s.recv(65536)


def who(s, data=b"x"):
    """The name of the target that answered."""
    return ask(s, data).split(b":", 1)[0].decode()
