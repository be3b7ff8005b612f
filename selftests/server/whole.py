# SPDX-License-Identifier: MIT
"""A real edge beside the real server, targets that say their name, and how to ask them."""
import os
import signal
import socket
import subprocess
import threading

from rig import BUILD, Skip, equal, eventually, free_port

CLIENT = os.path.join(BUILD, "portunus-client")


class Backend:
    """Answers each line with its name and the line; dead, its port is nobody else's."""

    def __init__(self, name, port=None):
        self.name, self.live, self.conns = name, True, []
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", port or free_port()))
        self.s.listen(64)
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.live:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            self.conns.append(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            while data := c.recv(4096):
                c.sendall(self.name.encode() + b":" + data)
        except OSError:
            pass
        c.close()

    def close(self):
        self.live = False
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


def ask(port, text=b"x", timeout=5):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as c:
        c.sendall(text)
        return c.recv(4096).decode()


class RealEdge:
    def __init__(self, server, name="edge-01", accounting="user", args=()):
        if os.geteuid():
            raise Skip("the edge needs root")
        self.dir = os.path.join(server.dir, name)
        os.makedirs(self.dir)
        self.bundle, self.name = self.dir + "/bundle.json", f"{name}-{os.getpid()}"
        uri = server.post("/v1/client-enrollments", {"name": name}).json["uri"]
        p = subprocess.run([CLIENT, "enroll", uri, "--out", self.bundle], capture_output=True, text=True,
                           timeout=20, check=False)
        equal((p.returncode, p.stdout), (0, self.bundle + "\n"), p.stderr)
        self.server, self.client_name, self.process = server, name, None
        self.accounting, self.args = accounting, args
        self.start()

    def start(self, wait=True):
        # Its own state, socket and instance: nothing of a real edge on this machine is touched.
        self.log = open(self.dir + "/log", "ab")
        self.process = subprocess.Popen(
            [CLIENT, "--bundle", self.bundle, "--instance", self.name, "--state-dir", self.dir + "/state",
             "--status-socket", self.dir + "/sock", "--accounting", self.accounting, "--workers", "1",
             "--reconnect-initial-delay-ms", "50", "--reconnect-max-delay-secs", "1",
             "--shutdown-drain-timeout-secs", "1", *self.args],
            stderr=self.log, stdout=self.log, stdin=subprocess.DEVNULL)
        if wait:
            eventually(self.connected, 10, "the edge is connected")

    def connected(self):
        return any(c["connected"] for c in self.server.get("/v1/clients").json
                   if c["client_name"] == self.client_name)

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.accounting != "user":
            subprocess.run([CLIENT, "unpin", "--instance", self.name], capture_output=True, check=False)
        try:
            os.unlink(f"/run/portunus/client-{self.name}.lock")
        except OSError:
            pass


def rule(listen, *backends, **more):
    return {"client": "edge-01", "listen_port": listen,
            "targets": [{"host": "127.0.0.1", "port": b.port} for b in backends], **more}
