# SPDX-License-Identifier: MIT
"""The interleaved measures: bulk, conn and ping for every way to forward, and our own pairs."""
import random

from peers import (SNI, Haproxy, HaproxyBigPipes, HaproxySni, HaproxySplice, Nginx, NginxSni, NginxUdp,
                   Ours, OursAuto, OursCapped, OursKernel, OursPlain, OursProxy, OursSni, OursUdp, OursUser,
                   Path, Socat)
from rig import Failure, Place, read

# name -> (verb of the load tool, its options)
MEASURES = {
    "bulk-down-1": ("bulk", {"concurrency": 1}),
    "bulk-down-8": ("bulk", {"concurrency": 8}),
    "bulk-up-1": ("bulk", {"concurrency": 1, "upload": True}),
    "bulk-up-8": ("bulk", {"concurrency": 8, "upload": True}),
    "conn-1": ("conn", {"concurrency": 1}),
    "conn-64": ("conn", {"concurrency": 64}),
    "ping-1": ("ping", {"concurrency": 1}),
    "ping-64": ("ping", {"concurrency": 64}),
    "sni-64": ("conn", {"concurrency": 64, "hello": SNI}),
    "udp-ping-1": ("udp-ping", {"concurrency": 1}),
    "udp-ping-64": ("udp-ping", {"concurrency": 64}),
    "udp-bulk-1": ("udp-bulk", {"concurrency": 1}),
    "udp-bulk-4": ("udp-bulk", {"concurrency": 4}),
}
KINDS = ("direct", "dnat", "haproxy", "haproxy-splice", "haproxy-256k", "nginx", "socat", "portunus",
         "portunus-user", "portunus-kernel", "portunus-auto", "portunus-plain")
ONLY_BULK = ("haproxy-splice", "haproxy-256k")
# No proxy, no bar: two rounds of these give the scale and leave the time to the others.
BASELINES, BASELINE_ROUNDS = ("direct", "dnat"), 2
BACKEND = 9100
BACKENDS = list(range(BACKEND, BACKEND + 8))


def is_bulk(name):
    return "bulk" in name


def group_of(name):
    """The group that a measure belongs to, as --only names it."""
    return name.split("-")[0]


def is_udp(name):
    return group_of(name) == "udp"


def figures(name, raw):
    """What is reported of one sample. CPU is None where there is no proxy process."""
    seconds, proxy = raw["seconds"], raw["proxy_cpu"] or None
    if is_bulk(name):
        gb = raw["bytes"] / 1e9
        if not gb:
            raise Failure("no byte arrived")
        return {"gbps": gb * 8 / seconds, "cpu_s_per_gb": proxy and proxy / gb,
                "machine_s_per_gb": raw["machine_cpu"] / gb, "errors": raw["errors"]}
    if not raw["ops"]:
        raise Failure("nothing was answered")
    return {"rate": raw["ops"] / seconds, "cpu_us": proxy and proxy / raw["ops"] * 1e6,
            "machine_us": raw["machine_cpu"] / raw["ops"] * 1e6, "p50_us": raw["p50_us"],
            "p99_us": raw["p99_us"], "errors": raw["errors"]}


def take(rig, name, proxy, timing):
    """One sample of one measure through one proxy (or path)."""
    verb, options = MEASURES[name]
    return figures(name, rig.client(proxy.place.client, verb, proxy.to, pids=proxy.pids(),
                                    seconds=timing.seconds, warm_up=timing.warm_up, **options))


class Matrix:
    """Every kind in one place, all running at the same time, of which one at a time has load."""

    classes = (Haproxy, HaproxySplice, HaproxyBigPipes, Nginx, Ours, OursUser)
    in_kernel = (OursKernel, OursAuto)
    groups, tag, udp = ("bulk", "conn", "ping"), "", False

    def __init__(self, rig, name, veth, lacking):
        self.name, self.proxies, self.rig = name, {}, rig
        tag = name + self.tag
        place, behind_nat = Place(rig, tag, veth), Place(rig, tag + "n", veth)
        rig.backend(place, BACKENDS, self.udp)
        rig.backend(behind_nat, BACKENDS, self.udp)
        self.proxies["direct"] = Path(rig, place, f"{place.server_ip}:{BACKEND}")
        # Connection tracking is switched on for the whole namespace, so it gets its own.
        try:
            behind_nat.dnat(9000, BACKEND)
            self.proxies["dnat"] = Path(rig, behind_nat, f"{behind_nat.proxy_ip}:9000")
        except Failure as e:
            lacking["dnat"] = str(e)
        for n, cls in enumerate(self.classes):
            if cls.kind not in lacking:
                self.proxies[cls.kind] = cls(rig, place, 9001 + n, [(place.server_ip, BACKEND)])
        self.place = place
        if veth and self.in_kernel:
            # The programs at the interfaces look at every packet of a namespace: the others pay nothing for it.
            for n, cls in enumerate(self.in_kernel):
                own = Place(rig, f"{tag}k{n}", veth)
                rig.backend(own, BACKENDS, self.udp)
                self.proxies[cls.kind] = cls(rig, own, 9001, [(own.server_ip, BACKEND)])

    def start(self, lacking):
        for kind, proxy in list(self.proxies.items()):
            try:
                proxy.start()
            except Failure as e:
                lacking[kind] = " ".join(str(e).split())[-200:]
                proxy.stop()
                del self.proxies[kind]

    def round(self, number, names, timing, rng, results, note):
        for name in (n for n in names if group_of(n) in self.groups):
            order = [k for k in self.proxies if (k not in ONLY_BULK or is_bulk(name))
                     and (k not in BASELINES or number < BASELINE_ROUNDS)]
            rng.shuffle(order)
            taken = results.setdefault(self.name, {}).setdefault(name, {})
            for kind in order:
                try:
                    sample = take(self.rig, name, self.proxies[kind], timing)
                except Failure as e:
                    note(f"{self.name} {name} {kind}: {e}")
                    sample = None
                taken.setdefault(kind, []).append(sample)


class Datagrams(Matrix):
    """The same for UDP, of which HAProxy knows nothing."""

    classes, in_kernel = (NginxUdp, Socat, OursUdp), ()
    groups, tag, udp = ("udp",), "u", True


class Routed(Matrix):
    """The same for connections that are routed by the name in their hello."""

    classes, in_kernel = (HaproxySni, NginxSni, OursSni, OursPlain), ()
    groups, tag = ("sni",), "s"


MATRICES = (Matrix, Datagrams, Routed)


def pairs(rig, matrix, n, timing, lacking, note):
    """Our own one-percent questions: one target or eight, headers, caps, BPF on or off. {question: {measure: [(a, b)]}}"""
    if "portunus" not in matrix.proxies:
        return {"skipped": lacking.get("portunus", "it did not start")}
    place, one = matrix.place, matrix.proxies["portunus"]
    questions, started = {}, []
    for at, (question, cls, ports) in enumerate((("targets", Ours, BACKENDS), ("proxy", OursProxy, [BACKEND]),
                                                ("caps", OursCapped, [BACKEND]))):
        proxy = cls(rig, place, 9008 + at, [(place.server_ip, p) for p in ports])
        started.append(proxy)
        try:
            questions[question] = (proxy.start(), one)
        except Failure as e:
            note(f"pair {question}: {e}")
    if "portunus-user" in matrix.proxies:
        questions["bpf"] = (one, matrix.proxies["portunus-user"])
    out = {q: {"bulk-down-1": [], "conn-64": []} for q in questions}
    for i in range(n):
        for question, (a, b) in questions.items():
            for name, rows in out[question].items():
                try:
                    first, second = (a, b) if i % 2 == 0 else (b, a)
                    got = {id(first): take(rig, name, first, timing)}
                    got[id(second)] = take(rig, name, second, timing)
                    rows.append((got[id(a)], got[id(b)]))
                except Failure as e:
                    note(f"pair {question} {name}: {e}")
    for proxy in started:
        proxy.stop()
    return out


def shuffler():
    return random.Random(20)


def machine():
    info = dict(line.split(":", 1) for line in read("/proc/cpuinfo").splitlines() if ":" in line)
    info = {k.strip(): v.strip() for k, v in info.items()}
    return {"cpu": info.get("model name", "unknown"), "kernel": read("/proc/version").split()[2],
            "hypervisor": "hypervisor" in info.get("flags", ""),
            "cores": read("/proc/cpuinfo").count("\nprocessor") + 1,
            "memory_gib": round(int(read("/proc/meminfo").split()[1]) / 2**20, 1)}
