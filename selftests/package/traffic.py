#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Traffic through forwarded ports, and what became of it.

usage: traffic.py LISTEN TARGET… ; runs inside a network namespace, until SIGTERM. On each TARGET port a
server of its own echoes. Towards LISTEN one new connection every 20 ms (32 bytes there and back), and
20 that stay and talk four times a second. At the end one line of JSON says how many of each were served,
how many were refused or cut, and for how long no new one was served.
"""
import json
import os
import signal
import socket
import sys
import threading
import time

PACE, STAY, TALK = 0.02, 20, 0.25
stop = threading.Event()
lock = threading.Lock()
seen = {"served": 0, "refused": 0, "cut": 0, "wrong": 0, "stayed": 0, "stay_cut": 0, "bytes": 0}
times = []  # when a new connection was served


def count(what, n=1):
    with lock:
        seen[what] += n


def echo(conn):
    with conn:
        try:
            while data := conn.recv(65536):
                conn.sendall(data)
        except OSError:
            pass


def serve(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


def exchange(conn):
    sent = os.urandom(32)
    conn.sendall(sent)
    got = b""
    while len(got) < len(sent):
        data = conn.recv(64)
        if not data:
            raise ConnectionResetError
        got += data
    count("bytes", len(got))
    if got != sent:
        count("wrong")


def one(port):
    try:
        conn = socket.create_connection(("127.0.0.1", port), timeout=10)
    except OSError:
        return count("refused")
    with conn:
        try:
            exchange(conn)
        except OSError:
            return count("cut")
    with lock:
        times.append(time.monotonic())
    return count("served")


def stay(port):
    """Talks while it can; comes back when it was cut."""
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
                while not stop.is_set():
                    exchange(conn)
                    stop.wait(TALK)
                count("stayed")
        except ConnectionRefusedError:
            stop.wait(TALK)
        except OSError:
            count("stay_cut")


def main():
    listen, *targets = map(int, sys.argv[1:])
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stop.set())
    for port in targets:
        threading.Thread(target=serve, args=(port,), daemon=True).start()
    print("ready", flush=True)
    staying = [threading.Thread(target=stay, args=(listen,)) for _ in range(STAY)]
    for t in staying:
        t.start()
    new = []
    while not stop.wait(PACE):
        t = threading.Thread(target=one, args=(listen,))
        t.start()
        new.append(t)
    for t in new + staying:
        t.join(15)
    gaps = [b - a for a, b in zip(times, times[1:])]
    seen["gap"] = round(max(gaps, default=0), 2)
    print(json.dumps(seen), flush=True)


main()
