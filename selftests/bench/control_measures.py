# SPDX-License-Identifier: MIT
"""What selftests/bench/control measures, one function for each question."""
import calendar
import contextlib
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from crowd import Crowd, LogReader, ask, connection, cpu_seconds, enrol, memory_kib, push_all, rule
from rig import BUILD, TOKEN, Server, eventually

CLIENT = os.path.join(BUILD, "portunus-client")
NAME = "edge-0001"


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def timed(f):
    began = time.monotonic()
    value = f()
    return time.monotonic() - began, value


def expect(answer, status):
    if answer[0] != status:
        raise AssertionError(f"{answer[0]} instead of {status}: {answer[1]}")
    return answer[1]


class RealEdge:
    """A portunus-client of this host, enrolled at the server."""

    def __init__(self, server, name=NAME):
        self.dir = tempfile.mkdtemp(prefix="portunus-edge.", dir="/var/tmp")
        self.instance = f"bench{os.getpid()}"
        bundle = os.path.join(self.dir, "bundle.json")
        with_uri = expect(ask(connection(server), "POST", "/v1/client-enrollments", {"name": name}), 201)
        subprocess.run([CLIENT, "enroll", with_uri["uri"], "--out", bundle], check=True, capture_output=True)
        self.log = open(os.path.join(self.dir, "log"), "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [CLIENT, "--bundle", bundle, "--instance", self.instance, "--state-dir", self.dir,
             "--status-socket", os.path.join(self.dir, "status.sock"), "--shutdown-drain-timeout-secs", "1"],
            stderr=self.log, stdin=subprocess.DEVNULL)
        c = connection(server)
        eventually(lambda: any(x["connected"] for x in expect(ask(c, "GET", "/v1/clients"), 200)
                               if x["client_name"] == name), 10, "the edge is connected")
        self.accounting = [x for x in ask(c, "GET", "/v1/clients")[1] if x["client_name"] == name][0]["accounting"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        subprocess.run([CLIENT, "unpin", "--instance", self.instance], capture_output=True, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Sink(threading.Thread):
    """A target that reads everything, tells nothing, and closes when its peer has."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            with c:
                while c.recv(1 << 16):
                    pass


def real_rule(port, sink):
    """Two targets, of which the first lives."""
    return {"client": NAME, "listen_port": port, "listen_address": "127.0.0.1",
            "targets": [{"host": "127.0.0.1", "port": sink.port}, {"host": "127.0.0.2", "port": sink.port}]}


def free_ports(n, start=21000):
    """n ports of loopback that nobody listens on."""
    found = []
    for port in range(start, 32000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == n:
            return found
    raise AssertionError("not enough free ports")


def push(n):
    """Push to active: simulated and real edge, one push after the other on a kept connection."""
    rows = []
    with Server() as s, LogReader(s), Crowd(enrol(s, 1)):
        c = connection(s)
        took = [timed(lambda p=p: expect(ask(c, "POST", "/v1/rules", rule(NAME, p)), 201))[0]
                for p in range(20000, 20000 + n)]
        rows.append(("push to active, simulated edge", took))
    sink = Sink()
    with Server() as s, LogReader(s), RealEdge(s):
        c = connection(s)
        took = [timed(lambda p=p: expect(ask(c, "POST", "/v1/rules", real_rule(p, sink)), 201))[0]
                for p in free_ports(n)]
        rows.append(("push to active, portunus-client", took))
    sink.socket.close()
    return [(what, f"p50 {ms(quantile(t, .5))}, p99 {ms(quantile(t, .99))}, worst {ms(max(t))} of {n}",
             "p50 ≤ 10 ms, p99 ≤ 50 ms", quantile(t, .5) <= .010 and quantile(t, .99) <= .050) for what, t in rows]


def figures(n):
    """stats?per_target=true of a real edge against what was sent, once a second."""
    took, off = [], []
    sink = Sink()
    with Server() as s, LogReader(s), RealEdge(s) as e:
        c = connection(s)
        port = free_ports(1)[0]
        r = expect(ask(c, "POST", "/v1/rules", real_rule(port, sink)), 201)["rule_id"]
        sent = 0
        for i in range(n):
            with socket.create_connection(("127.0.0.1", port)) as k:
                k.sendall(b"x" * (100000 + i))
                k.shutdown(socket.SHUT_WR)
                while k.recv(4096):
                    pass
            sent += 100000 + i
            time.sleep(1)
            t, a = timed(lambda: expect(ask(c, "GET", f"/v1/rules/{r}/stats?per_target=true"), 200))
            took.append(t)
            off.append(abs(a["per_target"][0]["bytes_in"] - sent) + abs(a["bytes_in"] - sent))
        mode = e.accounting
    sink.socket.close()
    return [("stats?per_target=true once a second, portunus-client",
             f"p50 {ms(quantile(took, .5))}, worst {ms(max(took))} of {n}; {max(off)} bytes off when idle "
             f"(accounting={mode})", "p50 ≤ 5 ms, 0 bytes off", quantile(took, .5) <= .005 and not any(off))]


class Latency(threading.Thread):
    """Asks the API again and again, on a kept connection, and keeps how long each answer took."""

    def __init__(self, server, paths, pause=0.01):
        super().__init__(daemon=True)
        self.server, self.paths, self.pause = server, paths, pause
        self.took, self.over, self.error = [], threading.Event(), None

    def run(self):
        c = connection(self.server)
        try:
            while not self.over.is_set():
                for p in self.paths:
                    self.took.append(timed(lambda p=p: expect(ask(c, "GET", p), 200))[0])
                    time.sleep(self.pause)
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        if self.error:
            raise self.error

    def text(self):
        return (f"p50 {ms(quantile(self.took, .5))}, p99 {ms(quantile(self.took, .99))}, "
                f"worst {ms(max(self.took))} of {len(self.took)}")


class Loris:
    """Sockets that send one byte of an endless header now and then."""

    def __init__(self, server, n):
        host, port = server.http.rsplit(":", 1)
        self.sockets = [socket.create_connection((host, int(port))) for _ in range(n)]
        for c in self.sockets:
            c.sendall(b"GET /v1/rules HTTP/1.1\r\nHost: h\r\nX-")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.drip, daemon=True)

    def drip(self):
        while not self.over.wait(0.5):
            for c in self.sockets:
                try:
                    c.send(b"a")
                except OSError:
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for c in self.sockets:
            c.close()


PATHS = ("/v1/rules/77", "/v1/rules/177/stats?per_target=true", "/v1/users/me")


def load_of(s, seconds):
    """Share of a core and API latency over some time."""
    cpu, began = cpu_seconds(s.process.pid), time.monotonic()
    time.sleep(seconds)
    quiet = (cpu_seconds(s.process.pid) - cpu) / (time.monotonic() - began)
    with Latency(s, PATHS) as lat:
        time.sleep(seconds)
    return quiet, lat


def replay_time(s, crowd, rules, how):
    """Stops and starts the server: seconds from the start until it listens, and until the last rule came."""
    before = crowd.status()
    s.kill(how)
    s.log = []
    began = time.monotonic_ns()
    s.start()
    up = time.monotonic_ns()
    with LogReader(s):
        after = eventually(lambda: (a := crowd.status())["replayed"] - before["replayed"] >= rules and
                           a["replays_done"] - before["replays_done"] >= crowd.n and a, 30, "the replay is done")
    if after["repeated"] or after["replayed"] - before["replayed"] != rules:
        raise AssertionError(f"rules came twice: {after}")
    return (up - began) / 1e9, (after["last_push_ns"] - began) / 1e9


def lists(s, total):
    """The long answers: how long, how large."""
    k = connection(s)
    if len(expect(ask(k, "GET", "/v1/rules"), 200)) != total:
        raise AssertionError("the list is not complete")
    rows = []
    for path, bar in (("/v1/rules", 0.2), ("/v1/clients", None), ("/v1/metrics", None)):
        took = [timed(lambda p=path: raw_get(s, p)) for _ in range(10)]
        p50, worst = quantile([t for t, _ in took], .5), max(t for t, _ in took)
        rows.append((f"GET {path} with {total} rules", f"p50 {ms(p50)}, worst {ms(worst)} "
                     f"({took[0][1] / 2**20:.1f} MiB)", "< 200 ms" if bar else "", p50 < bar if bar else None))
    return rows


def under_load(s, edges, rules_each, seconds):
    """What the server takes and how it answers, with all edges reporting."""
    quiet, lat = load_of(s, seconds)
    rss, peak = (memory_kib(s.process.pid, f) / 1024 for f in ("VmRSS", "VmHWM"))
    what = f"{edges} edges with {rules_each} rules each"
    rows = [(f"{what}: memory", f"{rss:.0f} MB resident (peak {peak:.0f} MB)", "< 150 MB", rss < 150),
            (f"{what}: CPU at 5 s reports", f"{100 * quiet:.1f} % of a core", "< 10 %", quiet < .1),
            (f"{what}: API", lat.text(), "p99 < 50 ms", quantile(lat.took, .99) < .050)]
    rows += lists(s, edges * rules_each)
    with Loris(s, 200):
        time.sleep(1)
        with Latency(s, PATHS) as lat:
            time.sleep(min(seconds, 15))
    rows.append(("API with 200 slow-loris sockets, and those edges", lat.text(), "< 50 ms",
                 quantile(lat.took, .99) < .050))
    return rows


def crowd(edges, rules_each, seconds):
    """1,000 edges with 10 rules each, and what 10,000 rules mean for lists and restarts."""
    total = edges * rules_each
    with Server(fixed_ports=True) as s, contextlib.ExitStack() as stack:
        with LogReader(s):
            bundles = enrol(s, edges)
            c = stack.enter_context(Crowd(bundles, spread=1000, reconnect=300))
            push_all(s, (rule(f"edge-{i:04}", 20000 + j) for i in range(1, edges + 1) for j in range(rules_each)))
            time.sleep(6)
            rows = under_load(s, edges, rules_each, seconds)
        for how, word in ((signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "kill -9")):
            up, done = replay_time(s, c, total, how)
            rows.append((f"restart after {word}, {total} rules to {edges} edges",
                         f"listening after {ms(up)}, last rule delivered after {ms(done)} "
                         "(edges try every 0.3 s)", "< 3 s", done < 3))
    return rows


def raw_get(server, path):
    """A GET without decoding: its size."""
    c = connection(server)
    c.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    n = len(c.getresponse().read())
    c.close()
    return n


def one_edge(rules):
    """The same number of rules at a single simulated edge, and a real edge under a restart."""
    rows = []
    with Server(fixed_ports=True) as s:
        with LogReader(s):
            bundles = enrol(s, 1)
        with Crowd(bundles, reconnect=100) as c:
            with LogReader(s):
                t, _ = timed(lambda: push_all(s, (rule(NAME, 10000 + j) for j in range(rules))))
            rows.append((f"{rules} pushes to one edge, 4 at a time", f"{t:.1f} s, {rules / t:.0f} a second", "", None))
            up, done = replay_time(s, c, rules, signal.SIGTERM)
            rows.append((f"restart, {rules} rules to one edge",
                         f"listening after {ms(up)}, last rule delivered after {ms(done)} (it tries every 0.1 s)",
                         "< 3 s", done < 3))
    return rows


def restart_under_traffic(rules, seconds):
    """A real edge's listeners while its server is away and comes back."""
    sink = Sink()
    ports = free_ports(rules)
    with Server(fixed_ports=True) as s, RealEdge(s) as e:
        with LogReader(s):
            push_all(s, (real_rule(p, sink) for p in ports))
        tried, failed, over = [0], [], threading.Event()

        def knock():
            while not over.is_set():
                tried[0] += 1
                for p in (ports[0], ports[rules // 2], ports[-1]):
                    try:
                        with socket.create_connection(("127.0.0.1", p), timeout=2) as k:
                            k.sendall(b"x")
                            k.shutdown(socket.SHUT_WR)
                            if k.recv(1) != b"":
                                failed.append(p)
                    except OSError as err:
                        failed.append(err)
                time.sleep(0.005)
        t = threading.Thread(target=knock, daemon=True)
        t.start()
        s.kill()
        time.sleep(seconds)
        began, s.log = time.monotonic(), []
        s.start()
        with LogReader(s):
            c = connection(s)
            eventually(lambda: all(x["state"]["kind"] == "active" and x["targets"]
                                   for x in expect(ask(c, "GET", "/v1/rules"), 200)) and
                       ask(c, "GET", "/v1/clients")[1][0]["connected"], 40, "all is back")
            back = time.monotonic() - began
            time.sleep(1)
            over.set()
            t.join()
            counted = expect(ask(c, "GET", "/v1/rules/1/stats?per_target=true"), 200)
        mode = e.accounting
    sink.socket.close()
    return [(f"server killed for {seconds} s under portunus-client with {rules} rules and traffic",
             f"{len(failed)} of {3 * tried[0]} connections failed; edge back {back:.1f} s after the start; "
             f"{counted['bytes_in']} of {tried[0]} bytes counted for the first rule (accounting={mode})",
             "0 failed, 0 bytes off", not failed and counted["bytes_in"] == tried[0])]


class Subscribers:
    """Readers of a rule's event stream, all in one selector; one of them never reads."""

    def __init__(self, server, n, path):
        self.sel = selectors.DefaultSelector()
        host, port = server.http.rsplit(":", 1)
        request = (f"GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").encode()
        self.deaf = socket.socket()
        self.deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.deaf.connect((host, int(port)))
        self.deaf.sendall(request)
        self.late, self.events, self.gaps, self.ended = [], 0, [], 0
        self.readers = []
        for _ in range(n - 1):
            c = socket.create_connection((host, int(port)))
            c.sendall(request)
            c.setblocking(False)
            state = {"tail": b"", "at": None}
            self.sel.register(c, selectors.EVENT_READ, state)
            self.readers.append(c)
        self.over, self.measuring = threading.Event(), False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            for key, _ in self.sel.select(0.2):
                self.read(key.fileobj, key.data)

    def read(self, c, state):
        try:
            data = c.recv(1 << 16)
        except OSError:
            data = b""
        now, mono = time.time(), time.monotonic()
        if not data:
            self.ended += 1
            self.sel.unregister(c)
            return
        text = state["tail"] + data
        for m in re.finditer(rb'"updated_at":"([^"]+)"', text):
            self.events += 1
            if self.measuring:
                self.late.append(now - stamp(m.group(1).decode()))
                if state["at"]:
                    self.gaps.append(mono - state["at"])
            state["at"] = mono
            state["tail"] = b""
            text = text if m.end() < len(text) else b""
        end = text.rfind(b'"updated_at":"')
        state["tail"] = text[-40:] if end < 0 else text[end + 40:][-40:]

    def close(self):
        self.over.set()
        self.thread.join()
        for c in self.readers + [self.deaf]:
            c.close()


def stamp(text):
    """RFC 3339 with milliseconds, UTC, as unix time."""
    day, frac = text.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S")) + float("0." + frac)


def streams(n, seconds):
    """SSE subscribers, one of which never reads: first at the usual pace, then as fast as it goes."""
    rows = []
    with Server() as s, LogReader(s), Crowd(enrol(s, 1), report=5000) as e:
        c = connection(s)
        r = expect(ask(c, "POST", "/v1/rules", rule(NAME, 20000)), 201)["rule_id"]
        time.sleep(6)
        before = memory_kib(s.process.pid)
        subs = Subscribers(s, n, f"/v1/rules/{r}/stats/stream?per_target=true")
        eventually(lambda: subs.events >= n - 1, 20, "everybody has the first event")
        time.sleep(2)
        open_kib, cpu = memory_kib(s.process.pid) - before, cpu_seconds(s.process.pid)
        subs.measuring, began = True, time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds(s.process.pid) - cpu) / (time.monotonic() - began)
        rows.append((f"{n} SSE subscribers, one never reads: others' lateness at 5 s reports",
                     f"p50 {ms(quantile(subs.late, .5))}, worst {ms(max(subs.late))} after the report, longest gap "
                     f"{max(subs.gaps):.2f} s, {len(subs.late)} events; {100 * share:.1f} % of a core",
                     "on time", max(subs.gaps) < 6))
        subs.measuring, subs.late, subs.gaps = False, [], []
        steady = memory_kib(s.process.pid) - before
        # A failover in every report: nothing is coalesced, so the one that does not read fills its buffer.
        e.say("flip 1")
        e.say("report 25")
        time.sleep(1)
        subs.measuring = True
        ends, peak = time.monotonic() + 90, 0
        dropped = None
        began = time.monotonic()
        while time.monotonic() < ends and dropped is None:
            time.sleep(0.25)
            peak = max(peak, memory_kib(s.process.pid) - before)
            if any(x.get("event") == "api.stream_dropped" for x in s.log):
                dropped = time.monotonic() - began
        subs.measuring = False
        rows.append(("the same with a failover every 25 ms: growth",
                     f"{open_kib / n:.1f} KiB a subscriber; {open_kib} KiB at first, {steady} KiB after "
                     f"{seconds} s, at most {peak} KiB" +
                     (f"; the one that never reads dropped after {dropped:.0f} s" if dropped else "; nobody dropped"),
                     f"≤ {open_kib + 256 + 2048} KiB", peak <= open_kib + 256 + 2048))
        rows.append(("the same: others' lateness",
                     f"p50 {ms(quantile(subs.late, .5))}, p99 {ms(quantile(subs.late, .99))} of "
                     f"{len(subs.late)} events, {subs.ended} ended early", "on time", subs.ended == 0))
        subs.close()
    return rows


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        info = f.read()
    model = re.search(r"model name\s*: (.*)", info)
    return f"{model.group(1) if model else 'unknown CPU'}, {os.cpu_count()} CPUs, Linux {os.uname().release.split('-')[0]}"
