# SPDX-License-Identifier: MIT
"""The measures that need a fresh proxy each time: idle memory, failover, many ports, BPF run time."""
import json
import os
import signal
import subprocess
import time

from measures import BACKEND, MEASURES
from peers import Haproxy, Nginx, NginxUdp, Ours, OursUdp, OursUser, Path
from rig import Failure, Place, read, sh
from stats import median, quantile

PRIMARY, SECONDARY, NOBODY = 9100, 9101, 9109
BPF_STATS = "/proc/sys/kernel/bpf_stats_enabled"


def meminfo(key):
    return 1024 * int(read("/proc/meminfo").split(key + ":")[1].split()[0])


# --- memory per idle connection ---------------------------------------------------------------

def idle(rig, lacking, count, repeats, note):
    """Bytes per idle connection, {kind: [{rss, slab}]}. Fresh processes: a second filling would
    find the allocator's memory already there."""
    place = Place(rig, "idle", False)
    rig.backend(place, [BACKEND])
    out = {}
    for _ in range(repeats):
        for cls in (Path, Haproxy, Nginx, Ours, OursUser):
            kind = cls.kind or "direct"
            if kind in lacking:
                continue
            try:
                proxy = (Path(rig, place, f"{place.server_ip}:{BACKEND}") if cls is Path else
                         cls(rig, place, 9001, [(place.server_ip, BACKEND)]).start())
                out.setdefault(kind, []).append(idle_once(rig, place, proxy, count))
                proxy.stop()
            except Failure as e:
                note(f"idle {kind}: {e}")
    return out


def idle_once(rig, place, proxy, count, udp=False):
    rig.client(place.client, "udp-ping" if udp else "conn", proxy.to, concurrency=8, seconds=0.3, warm_up=0)
    time.sleep(1)
    slab, rss = meminfo("Slab"), proxy.process.rss() if proxy.process else 0
    holder = subprocess.Popen(place.client.enter + [rig.load, "udp-hold" if udp else "hold", "--to", proxy.to,
                              "--concurrency", str(count)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        if not holder.stdout.readline():
            raise Failure(f"{count} connections could not be opened")
        time.sleep(2)  # what is only lent for a moment has gone back
        return {"slab": (meminfo("Slab") - slab) / count,
                "rss": (proxy.process.rss() - rss) / count if proxy.process else None}
    finally:
        holder.stdin.close()
        holder.wait()
        time.sleep(0.5)


def udp_idle(rig, lacking, count, note):
    """Bytes per idle UDP flow, {kind: [{rss, slab}]}."""
    place = Place(rig, "udpidle", False)
    rig.backend(place, [BACKEND], udp=True)
    out = {}
    for cls in (NginxUdp, OursUdp):
        if cls.kind in lacking:
            continue
        try:
            proxy = cls(rig, place, 9001, [(place.server_ip, BACKEND)]).start()
            out[cls.kind] = [idle_once(rig, place, proxy, count, udp=True)]
            proxy.stop()
        except Failure as e:
            note(f"udp-idle {cls.kind}: {e}")
    return out


# --- failover ---------------------------------------------------------------------------------

BLACK_HOLE = "tcp dport {p} drop"
# The first SYN of every fifth connection; its retransmission comes from a port that was seen.
LOST_SYN = ("tcp dport {p} tcp flags & (syn | ack) == syn tcp sport != @seen "
            "numgen inc mod 5 == 0 add @seen {{ tcp sport }} drop")


class Trouble:
    """A place with a primary and a secondary, and rules that make trouble at the server's side."""

    def __init__(self, rig):
        self.rig, self.place = rig, Place(rig, "fail", True)
        self.primary = rig.backend(self.place, [PRIMARY])
        # Index 1 answers '1', so the client's tool sees who answered. 9108 is never used.
        self.secondary = rig.backend(self.place, [9108, SECONDARY])

    def drop(self, rule):
        text = rule.format(p=PRIMARY)
        self.place.server.nft("table ip trouble {\n set seen {\n  type inet_service\n"
                              "  flags dynamic,timeout\n  timeout 30s\n }\n"
                              " chain in {\n  type filter hook input priority 0;\n"
                              f"  {text}\n }}\n}}\n")

    def mend(self):
        self.place.server.nft("delete table ip trouble\n")

    def restart_primary(self):
        self.primary = self.rig.backend(self.place, [PRIMARY])

    def fresh(self, cls, primary_port=PRIMARY):
        ip = self.place.server_ip
        return cls(self.rig, self.place, 9001, [(ip, primary_port), (ip, SECONDARY)]).start()

    def clients(self, proxy, **how):
        return self.rig.client(self.place.client, "paced", proxy.to, **how)["rows"]

    def healthy_ms(self, proxy):
        """The usual latency; it also teaches a proxy what is usual."""
        return median([r[2] for r in self.clients(proxy, rate=100, count=100) if not r[4]])


def failed_at(proxy, since):
    """When our log says that the target became Failed (CLOCK_MONOTONIC, s), or None. The log of an
    earlier proxy of that name may stand before it."""
    for fields in proxy.events("rule.target.health_changed"):
        at = fields["at"] - (time.time() - time.monotonic())
        if str(fields.get("to", "")).lower() == "failed" and at >= since:
            return at
    return None


def summary(rows, usual):
    """Added latency in ms of some clients."""
    good = [r[2] - usual for r in rows if not r[4]]
    return {"clients": len(rows), "errors": len(rows) - len(good),
            "by_secondary": sum(r[3] == "1" for r in rows), "first": good[0] if good else None,
            "p50": median(good), "p99": quantile(good, 0.99), "max": max(good, default=None)}


def black_hole(trouble, cls, seconds, note):
    """The primary's packets vanish; clients come at 50/s. Before and after it is known to be Failed."""
    proxy = trouble.fresh(cls)
    usual = trouble.healthy_ms(proxy)
    trouble.drop(BLACK_HOLE)
    try:
        rows = trouble.clients(proxy, rate=50, seconds=seconds)
        known = failed_at(proxy, rows[0][0]) if isinstance(proxy, Ours) else None
    finally:
        trouble.mend()
        proxy.stop()
    if isinstance(proxy, Ours) and not known:
        note("black_hole: the edge's log has no transition to Failed; divided by time instead")
    at = known or rows[0][0] + seconds * 0.8
    lag = quantile([r[1] - r[0] for r in rows], 0.99) * 1e3
    if lag > 5:
        note(f"black_hole: the clients themselves started up to {lag:.0f} ms late (p99)")
    return {"usual_ms": usual, "failed_after_s": known and known - rows[0][0], "start_lag_p99_ms": lag,
            "before": summary([r for r in rows if r[1] < at], usual),
            "after": summary([r for r in rows if r[1] >= at + 0.005], usual)}


def refused(trouble, cls, n):
    """The primary refuses from the start: the first client, then the others."""
    proxy = trouble.fresh(cls)
    usual = trouble.healthy_ms(proxy)
    proxy.stop()
    proxy = trouble.fresh(cls, NOBODY)
    rows = trouble.clients(proxy, rate=50, count=n)
    proxy.stop()
    return {"usual_ms": usual, **summary(rows, usual)}


def lost_syn(trouble, cls, n):
    """n connections one after the other, every fifth of which loses one SYN: only those count, and
    they are told apart by being late."""
    proxy = trouble.fresh(cls)
    usual = trouble.healthy_ms(proxy)
    trouble.drop(LOST_SYN)
    try:
        rows = trouble.clients(proxy, count=n)
        late = [r for r in rows if r[4] or r[2] > usual + 20]
        return {"usual_ms": usual, **summary(late, usual),
                "by_secondary": sum(r[3] == "1" for r in rows)}
    finally:
        trouble.mend()
        proxy.stop()


def killed(trouble, cls):
    """The primary is killed under 200 connections/s."""
    proxy = trouble.fresh(cls)
    usual = trouble.healthy_ms(proxy)
    clients = subprocess.Popen(
        trouble.place.client.enter + [trouble.rig.load, "paced", "--to", proxy.to, "--rate", "200",
                                      "--count", "800"], stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    os.kill(trouble.primary.pid, signal.SIGKILL)
    rows = json.loads(clients.communicate()[0])["rows"]
    trouble.primary.stop()
    trouble.restart_primary()
    proxy.stop()
    return {"usual_ms": usual, **summary(rows, usual)}


def failover(rig, lacking, episodes, seconds, note):
    trouble, out = Trouble(rig), {}
    for cls in (Haproxy, Nginx, Ours):
        if cls.kind in lacking:
            continue
        ours = cls is Ours
        got = out[cls.kind] = {"black_hole": [], "refused": [], "lost_syn": [], "killed": []}
        for scenario, repeats, run in (
                ("black_hole", episodes if ours else 1, lambda: black_hole(trouble, cls, seconds, note)),
                ("refused", episodes, lambda: refused(trouble, cls, 20)),
                ("lost_syn", 1, lambda: lost_syn(trouble, cls, 150 if ours else 30)),
                ("killed", episodes if ours else 1, lambda: killed(trouble, cls))):
            for _ in range(repeats):
                try:
                    got[scenario].append(run())
                except (Failure, ValueError) as e:
                    note(f"{scenario} {cls.kind}: {e}")
    return out


# --- many listening ports ---------------------------------------------------------------------

class ManyPorts(Ours):
    """One rule per port, 10000 and up; `moved` is where the last rule listens now."""

    count, moved = 10000, None

    def rules(self):
        ports = list(range(10000, 10000 + self.count))
        ports[-1] = self.moved or ports[-1]
        return [{"id": i, "listen_port": p, "target_host": "127.0.0.1", "target_port": BACKEND}
                for i, p in enumerate(ports, 1)]


def in_use(proxy):
    """TCP sockets in the namespace, both families."""
    n = 0
    for family, key in (("sockstat", "TCP:"), ("sockstat6", "TCP6:")):
        for line in read(f"/proc/{proxy.process.pid}/net/{family}").splitlines():
            if line.startswith(key):
                n += int(line.split()[2])
    return n


def ports(rig, lacking, count, reloads, note):
    if "portunus" in lacking:
        return {"skipped": lacking["portunus"]}
    place = Place(rig, "ports", False)
    rig.backend(place, [BACKEND])
    proxy = ManyPorts(rig, place, 10000, [])
    proxy.count = count
    path = os.path.join(rig.dir, f"{proxy.name}.json")
    proxy.argv()  # writes the file before the clock starts
    begin = time.monotonic()
    proxy.start(wait=False)
    wanted, listening, start = set(range(10000, 10000 + count)), {}, None
    while proxy.process.alive() and time.monotonic() < begin + 30:
        now = time.monotonic()
        # The number is cheap to ask for; the list of ports only once it can be complete.
        if in_use(proxy) > count:
            listening = proxy.process.listening()
            if wanted <= set(listening):
                start = now - begin
                break
        time.sleep(0.002)
    if start is None:
        raise Failure(f"{len(wanted - set(listening))} of {count} ports never listened: "
                      f"{proxy.process.log()[-400:]}")
    out = {"ports": count, "start_s": start}
    for port in range(10000, 10000 + count, max(1, count // 100)):  # they really forward
        rows = rig.client(place.client, "paced", f"127.0.0.1:{port}", count=1)["rows"]
        if rows[0][4]:
            raise Failure(f"port {port} does not forward")
    out["rss"] = proxy.process.rss()
    out["reload_ms"] = [reload_once(rig, place, proxy, path, 20000 + i) for i in range(reloads)]
    kept = proxy.process.listening()
    out["touched"] = sum(kept.get(p) != listening[p] for p in range(10000, 10000 + count - 1))
    proxy.stop()
    return out


def reload_once(rig, place, proxy, path, port):
    """From SIGHUP until the changed rule's new port accepts, in ms."""
    proxy.moved = port
    proxy.file("json", json.dumps(proxy.rules()))
    waiter = subprocess.Popen(place.client.enter + [rig.load, "await", "--to", f"127.0.0.1:{port}"],
                              stdout=subprocess.PIPE, text=True)
    waiter.stdout.readline()
    begin = time.monotonic()
    os.kill(proxy.process.pid, signal.SIGHUP)
    line = waiter.stdout.readline()
    waiter.wait()
    if not line:
        raise Failure(f"SIGHUP did not open port {port} ({path}): {proxy.process.log()[-400:]}")
    time.sleep(0.2)
    return (json.loads(line)["at"] - begin) * 1e3


# --- what BPF costs ---------------------------------------------------------------------------

def programs(cgroup):
    """id -> (name, run_time_ns, run_cnt) of what is attached to the proxy's cgroup."""
    found = {}
    for attached in json.loads(sh("bpftool", "-j", "cgroup", "show", cgroup) or "[]"):
        p = json.loads(sh("bpftool", "-j", "prog", "show", "id", str(attached["id"])))
        found[p["id"]] = (p.get("name", "?"), p.get("run_time_ns", 0), p.get("run_cnt", 0))
    return found


def bpf_cost(rig, matrix, timing, lacking):
    """Run time of our BPF programs per GB and per connection, from the kernel's own clock; apart from
    the other samples, because that clock costs time too."""
    if "portunus" not in matrix.proxies:
        return {"skipped": lacking.get("portunus", "it did not start")}
    if not rig.cgroup_root or not os.path.exists(BPF_STATS):
        return {"skipped": "no cgroup v2, or no kernel.bpf_stats_enabled"}
    proxy, out = matrix.proxies["portunus"], {}
    restore = rig.sysctl(BPF_STATS, "1")
    try:
        for name in ("bulk-down-1", "bulk-down-8", "conn-64", "ping-64"):
            out[name] = bpf_cost_once(rig, proxy, name, timing)
    finally:
        rig.sysctl(BPF_STATS, restore)
    return out


def bpf_cost_once(rig, proxy, name, timing):
    before = programs(proxy.process.cgroup)
    verb, options = MEASURES[name]
    raw = rig.client(proxy.place.client, verb, proxy.to, seconds=timing.seconds, warm_up=0, **options)
    spent = {p[0]: (p[1] - before.get(i, p)[1], p[2] - before.get(i, p)[2])
             for i, p in programs(proxy.process.cgroup).items()}
    per = raw["bytes"] / 1e9 if name.startswith("bulk") else raw["ops"]
    return {"ns": sum(s[0] for s in spent.values()) / per if per else None,
            "runs": sum(s[1] for s in spent.values()) / per if per else None,
            "programs": {k: v for k, v in spent.items() if v[1]}}
