# SPDX-License-Identifier: MIT
"""A portunus-server in a data directory of its own, with an API client and a CLI runner beside it.

A test file defines functions decorated with @case and ends with main(). One line is printed per
case; the last line is `N passed, N failed, N skipped`.
"""
import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))
from cases import BUILD, PATIENCE, ROOT, Skip, case, equal, free_port, run, true, until  # pylint: disable=wrong-import-position,unused-import

SERVER = os.path.join(BUILD, "portunus-server")
TOKEN = "operator-token-of-the-tests"


def eventually(f, seconds=5.0, what="condition"):
    return until(f, what, seconds)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        e = self.json["error"]
        true(isinstance(e["message"], str), "error.message is a string")
        equal(self.headers.get("content-type"), "application/json", "content-type")
        return e["code"]


class Server:
    def __init__(self, toml="", token=TOKEN, start=True, args=(), env=None, fixed_ports=False):
        """fixed_ports: over restarts edges find it where it was, as in real life."""
        # Not /tmp: that may be a tmpfs, which the server refuses.
        self.dir = tempfile.mkdtemp(prefix="portunus-server.", dir="/var/tmp")
        self.data = os.path.join(self.dir, "data")
        os.mkdir(self.data, 0o700)
        self.args, self.env = list(args), dict(env or {})
        lines = [f'{key} = "127.0.0.1:{free_port() if fixed_ports else 0}"'
                 for key in ("control_listen", "operator_http_listen", "metrics_listen")]
        if token:
            lines.append(f'operator_token = "{token}"')
        with open(os.path.join(self.data, "server.toml"), "w", encoding="utf-8") as f:
            f.write("\n".join(lines + [toml]) + "\n")
        self.log, self.process, self.partial = [], None, b""
        if start:
            self.start()

    def spawn(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PORTUNUS_", "RUST_"))}
        env.update(self.env)
        self.process = subprocess.Popen([SERVER, "--data-dir", self.data, "serve", *self.args],
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.partial = b""

    def start(self):
        self.spawn()
        event = self.wait_log("server.listening", 20)
        self.grpc, self.http, self.metrics = event["grpc"], event["operator_http"], event["metrics"]

    def read_log(self, seconds):
        ready, _, _ = select.select([self.process.stderr], [], [], seconds)
        data = self.process.stderr.read() if ready else None
        if data is None:
            return True
        self.partial += data
        *lines, self.partial = self.partial.split(b"\n")
        for line in lines:
            try:
                self.log.append(json.loads(line)["fields"])
            except (ValueError, KeyError):
                self.log.append({"event": "text", "text": line.decode(errors="replace")})
        return data != b""

    def wait_log(self, event, seconds=5.0):
        end = time.monotonic() + seconds * PATIENCE
        seen = 0
        while True:
            for fields in self.log[seen:]:
                seen += 1
                if fields.get("event") == event:
                    return fields
            if time.monotonic() > end or not self.read_log(0.1):
                raise AssertionError(f"no {event} in the log: {self.log[-5:]}")

    def kill(self, sig=signal.SIGKILL):
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            self.read_log(0.05)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end within 10 s")
        self.read_log(0)
        return self.process.returncode

    def stop(self):
        return self.kill(signal.SIGTERM)

    def restart(self):
        equal(self.stop(), 0, "exit status of the server")
        self.log = []
        self.start()

    def stored(self):
        """The size of its data directory, in bytes."""
        return sum(os.path.getsize(os.path.join(self.data, f)) for f in os.listdir(self.data))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            rc = self.stop() if self.process else 0
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        text = "\n".join(f["text"] for f in self.log if f.get("event") == "text")
        if "Sanitizer" in text or "runtime error" in text or (not kind and rc not in (0, 1, 2, 78, -9)):
            raise AssertionError(f"the server ended with {rc}: {text[-3000:]}")

    def call(self, method, path, body=None, token=TOKEN, headers=None, endpoint=None, raw=None):
        host, port = (endpoint or self.http).rsplit(":", 1)
        c = http.client.HTTPConnection(host, int(port), timeout=10)
        h = dict(headers or {})
        if token and "Authorization" not in h:
            h["Authorization"] = f"Bearer {token}"
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
            h.setdefault("Content-Type", "application/json")
        c.request(method, path, data, h)
        r = c.getresponse()
        a = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode())
        c.close()
        return a

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def cli(self, *args, token=TOKEN, endpoint=True, env=None, timeout=40):
        """Runs the CLI: (exit code, stdout, stderr). endpoint: name this server's API."""
        e = {k: v for k, v in os.environ.items() if not k.startswith("PORTUNUS_")}
        e.update(env or {})
        if token:
            e["PORTUNUS_OPERATOR_TOKEN"] = token
        argv = [SERVER, *args, "--data-dir", self.data]
        if endpoint:
            argv += ["--http-endpoint", self.http]
        p = subprocess.run(argv, capture_output=True, text=True, env=e, timeout=timeout,
                           stdin=subprocess.DEVNULL, check=False)
        return p.returncode, p.stdout, p.stderr


class Stream:
    """A subscriber of a rule's figures."""

    def __init__(self, server, rule, query="", token=TOKEN, headers=None):
        host, port = server.http.rsplit(":", 1)
        self.c = http.client.HTTPConnection(host, int(port), timeout=10)
        headers = headers or {"Authorization": f"Bearer {token}"}
        self.c.request("GET", f"/v1/rules/{rule}/stats/stream{query}", headers=headers)
        self.r = self.c.getresponse()

    def frame(self):
        """The lines of the next frame; [] at the end of the stream."""
        lines = []
        while True:
            line = self.r.readline().decode()
            if line in ("\n", ""):
                return lines
            lines.append(line.rstrip("\n"))

    def stats(self):
        event, data = self.frame()
        equal(event, "event: stats")
        return json.loads(data.removeprefix("data: "))


def main():
    run()
