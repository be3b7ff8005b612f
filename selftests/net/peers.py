# SPDX-License-Identifier: MIT
"""Both ends of a connection: the scripted peer (peer.c) and a name server that says what it is told."""
import heapq
import socket
import struct
import threading
import time

import lib
import netns


def listen(t, host, *steps, port=None, ns=None, **options):
    """A server running these steps on each connection; returns its Process, with .port."""
    port = port or lib.free_port()
    p = t.spawn([lib.PEER, "listen", host, port, *_options(options), *steps],
                ns=ns or t.lab.targets, stdin=True)
    p.expect("listening", seconds=20)
    p.port = port
    return p


def connect(t, host, port, *steps, ns=None, **options):
    """A client running these steps; returns its Process at once."""
    return t.spawn([lib.PEER, "connect", host, port, *_options(options), *steps],
                   ns=ns or t.lab.client, stdin=True)


def run(t, host, port, *steps, seconds=25, ok=True, **options):
    """The same to the end. Returns the last connection's report, or the summary if several."""
    p = connect(t, host, port, *steps, **options)
    p.wait(seconds)
    done = p.found("done")
    summary = p.expect("summary")
    if ok:
        bad = [d for d in done if d["result"] != "ok"]
        lib.check(not bad, f"client: {bad[0]['result']} at {bad[0]['at']}" if bad else "")
        lib.equal(summary["failed"], 0, "failed connections")
    return summary if summary["count"] > 1 else done[-1]


def done(p, number=1, seconds=15):
    """The report of a server's number-th finished connection."""
    return p.expect("done", count=number, seconds=seconds)


def _options(options):
    out = []
    for name, value in options.items():
        out.append("--" + name)
        if value is not True:
            out.append(str(value))
    return out


def rst(s):
    """Closes a socket with a RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def read_all(s):
    """All until the FIN; raises ConnectionResetError at a RST."""
    got = b""
    while True:
        b = s.recv(65536)
        if not b:
            return got
        got += b


def read_exactly(s, n):
    got = b""
    while len(got) < n:
        b = s.recv(n - len(got))
        if not b:
            raise lib.Failure(f"{len(got)} of {n} bytes, then the end")
        got += b
    return got


def outcome(s):
    """How the other side ended it: 'eof', 'reset', 'data' or 'timeout'."""
    try:
        return "data" if s.recv(1) else "eof"
    except ConnectionResetError:
        return "reset"
    except (TimeoutError, socket.timeout):
        return "timeout"


class Greeter:
    """A server that says its name to each connection and then echoes; in a thread of its own."""

    def __init__(self, t, host, name, port=None, ns=None):
        self.name = name.encode()
        self.host, self.port = host, port or lib.free_port()
        self.ns = ns or t.lab.targets
        self.socket = None
        self.held = []
        self.count = 0
        self.start()
        t.defer(self.stop)

    def start(self):
        self.socket = self.ns.listen((self.host, self.port), seconds=None)
        threading.Thread(target=self._serve, args=(self.socket,), daemon=True).start()

    def _serve(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            self.count += 1
            self.held.append(s)
            threading.Thread(target=self._echo, args=(s,), daemon=True).start()

    def _echo(self, s):
        try:
            s.sendall(self.name)
            while True:
                b = s.recv(65536)
                if not b:
                    break
                s.sendall(b)
            s.close()
        except OSError:
            pass

    def stop(self, connections=True):
        """The service dies: the listener goes, and with it, unless told otherwise, what it accepted."""
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that sits in accept()
            except OSError:
                pass
            self.socket.close()
            self.socket = None
        for s in self.held if connections else ():
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        if connections:
            self.held.clear()


def who(t, port, host="10.7.1.1", seconds=10):
    """Connects through the edge; returns the greeting of the target that got it, or how it failed."""
    try:
        with t.lab.client.connect((host, port), seconds) as s:
            got = s.recv(64)
            return got.decode() if got else "eof"
    except ConnectionResetError:
        return "reset"
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, socket.timeout):
        return "timeout"


def timed(function, *args, **kw):
    start = time.monotonic()
    got = function(*args, **kw)
    return got, time.monotonic() - start


def serve(t, count):
    """Greeters t0, t1, … on as many targets."""
    return [Greeter(t, netns.TARGETS[i], f"t{i}") for i in range(count)]


def to(*servers):
    """Servers as targets of a rule."""
    return [(s.host, s.port) for s in servers]


class NameServer:
    """A DNS server (UDP) in the edge's namespace that says what it is told, and when.

    names: name → {"A": […], "AAAA": […], "ttl": s, "late": s, "rcode": n, "silent": True}; each of the last
    three may also be given by type ({"AAAA": 0.3}), and for all names as an attribute of the server.
    A name ".zone" stands for all that end so; a name that is not there does not exist.
    """
    TYPES = {1: "A", 28: "AAAA"}

    def __init__(self, t, names, ns=None, host="127.0.0.1"):
        self.names = names
        self.silent = False
        self.rcode = 0
        self.late = 0
        self.queries = []  # (name, type as a number)
        self.sources = []  # (monotonic time, port) of each
        self.port = lib.free_port()
        self.socket = (ns or t.lab.edge).socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
        self.socket.bind((host, self.port))
        self.env = {"PORTUNUS_DNS_SERVERS": f"{host}:{self.port}"}
        self.waiting = []  # (when, number, answer, to whom): a heap
        self.changed = threading.Condition()
        for work in (self._serve, self._send_late):
            threading.Thread(target=work, daemon=True).start()
        t.defer(self.socket.close)

    def count(self, name, kind=None):
        number = {v: k for k, v in self.TYPES.items()}.get(kind)
        return sum(1 for n, k in list(self.queries) if n == name and number in (None, k))

    def _known(self, name):
        while True:
            if name in self.names:
                return self.names[name]
            zone = name.find(".", 1)
            if zone < 0:
                return None
            name = name[zone:]

    def _serve(self):
        while True:
            try:
                query, whom = self.socket.recvfrom(4096)
            except OSError:
                return
            try:
                answer, late = self._answer(query, whom)
            except (struct.error, IndexError, UnicodeError):
                continue
            if answer and late:
                with self.changed:
                    heapq.heappush(self.waiting, (time.monotonic() + late, len(self.queries),
                                                  answer, whom))
                    self.changed.notify()
            elif answer:
                self._send(answer, whom)

    def _send(self, answer, whom):
        try:
            self.socket.sendto(answer, whom)
        except OSError:
            pass  # the case has ended

    def _send_late(self):
        while self.socket.fileno() >= 0:
            with self.changed:
                wait = self.waiting[0][0] - time.monotonic() if self.waiting else 0.5
                if wait > 0 or not self.waiting:
                    self.changed.wait(wait)
                    continue
                _, _, answer, whom = heapq.heappop(self.waiting)
            self._send(answer, whom)

    def _answer(self, query, whom):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        number, = struct.unpack_from("!H", query, at + 1)
        kind = self.TYPES.get(number)
        question = query[12:at + 5]
        self.queries.append((name, number))
        self.sources.append((time.monotonic(), whom[1]))
        known = self._known(name)

        def setting(key):
            value = (known or {}).get(key, getattr(self, key))
            return value.get(kind, 0) if isinstance(value, dict) else value
        if setting("silent"):
            return None, 0
        records = []
        rcode = setting("rcode") or (0 if known is not None else 3)
        if not rcode:
            family = socket.AF_INET if number == 1 else socket.AF_INET6
            for address in known.get(kind, []):
                data = socket.inet_pton(family, address)
                records.append(struct.pack("!HHHIH", 0xC00C, number, 1, known.get("ttl", 5),
                                           len(data)) + data)
        return (query[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(records), 0, 0) +
                question + b"".join(records)), setting("late")
