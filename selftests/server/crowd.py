# SPDX-License-Identifier: MIT
"""Many edges at one server (build/tools/edges and enrol), and what is needed to restart under them."""
import http.client
import json
import os
import re
import select
import subprocess
import tempfile
import threading
import time

from edge import OURS
from rig import BUILD, TOKEN, eventually

TOOL = os.path.join(BUILD, "tools", "edges")
ENROL = os.path.join(BUILD, "tools", "enrol")
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def connection(server):
    """A keep-alive connection to the API."""
    host, port = server.http.rsplit(":", 1)
    return http.client.HTTPConnection(host, int(port), timeout=30)


def ask(c, method, path, body=None):
    """(status, JSON or None) on a kept connection."""
    c.request(method, path, None if body is None else json.dumps(body), HEADERS)
    r = c.getresponse()
    text = r.read()
    return r.status, json.loads(text) if text else None


def enrol(server, n, prefix="edge-"):
    """Enrols n clients, PREFIX0001 on; a line for the tool for each."""
    c = connection(server)
    uris = []
    for i in range(1, n + 1):
        status, body = ask(c, "POST", "/v1/client-enrollments", {"name": f"{prefix}{i:04}"})
        if status != 201:
            raise AssertionError(f"enrolment {i}: {status} {body}")
        uris.append(body["uri"])
    c.close()
    out = subprocess.run([ENROL], input="\n".join(uris) + "\n", capture_output=True, text=True,
                         timeout=120, check=True).stdout
    bundles = out.splitlines()
    bad = [b for b in bundles if b.startswith("error")]
    if bad or len(bundles) != n:
        raise AssertionError(f"{len(bundles)} of {n} enrolled: {bad[:2]}")
    return bundles


class Crowd:
    """The edges of those bundles in one process. options: version, ack, report, spread, reconnect."""

    def __init__(self, bundles, capabilities=OURS, **options):
        with tempfile.NamedTemporaryFile("w", prefix="portunus-bundles.", delete=False) as f:
            f.write("\n".join(bundles) + "\n")
            self.file = f.name
        os.chmod(self.file, 0o600)
        argv = [TOOL, self.file] + [f"{k}={v}" for k, v in options.items()]
        if capabilities:
            argv.append("capabilities=" + ",".join(capabilities))
        self.n, self.partial = len(bundles), b""
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        eventually(lambda: self.status()["connected"] == self.n, 60, f"{self.n} edges connected")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        os.unlink(self.file)

    def say(self, line):
        """Gives a command; returns what the edges have seen until then."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        end = time.monotonic() + 60
        while b"\n" not in self.partial:
            if time.monotonic() > end or not select.select([self.process.stdout], [], [], 60)[0]:
                raise AssertionError("the edges do not answer")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise AssertionError("the edges have ended")
            self.partial += data
        answer, self.partial = self.partial.split(b"\n", 1)
        return json.loads(answer)

    def status(self):
        return self.say("status")


def rule(client, port, targets=2, **more):
    """A push for an edge of enrol(); its targets are of no interest to a simulated one."""
    return {"client": client, "listen_port": port, **more,
            "targets": [{"host": f"192.0.2.{i + 1}", "port": 443} for i in range(targets)]}


def push_all(server, rules, threads=4):
    """Pushes, from several connections; raises at the first refusal."""
    errors = []
    todo = iter(rules)
    lock = threading.Lock()

    def work():
        c = connection(server)
        while not errors:
            with lock:
                body = next(todo, None)
            if body is None:
                break
            status, answer = ask(c, "POST", "/v1/rules", body)
            if status != 201:
                errors.append((status, answer))
        c.close()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    if errors:
        raise AssertionError(f"push refused: {errors[0]}")


def memory_kib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(rf"^{field}:\s+(\d+)", f.read(), re.M).group(1))


def cpu_seconds(pid):
    """User and system time of a process, all threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class LogReader(threading.Thread):
    """Empties the server's log, which is a pipe: a full one would hold the server up."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.over = server, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.server.read_log(0.2)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
