# SPDX-License-Identifier: MIT
"""Turns the results into Markdown: one table per measure, and the bars with what was measured."""
from measures import KINDS, MEASURES, is_bulk, is_udp
from stats import median, ratio

PLACES = {"lo": "loopback", "veth": "namespaces (veth)"}
LABEL = {"dnat": "nftables DNAT", "haproxy": "HAProxy", "haproxy-splice": "HAProxy, splicing always",
         "haproxy-256k": "HAProxy, splicing always, 256 KiB pipes",
         "portunus": "Portunus, BPF accounting", "portunus-user": "Portunus, user-space accounting",
         "portunus-kernel": "Portunus, kernel relay", "portunus-auto": "Portunus, relay auto",
         "portunus-plain": "Portunus, plain rule"}
BULK = (("gbps", "Gb/s", 1), ("cpu_s_per_gb", "proxy CPU s/GB", 4),
        ("machine_s_per_gb", "machine CPU s/GB", 4))
UDP_BULK = (*BULK, ("errors", "stalls", 0))
OPS = (("rate", "{}/s", 0), ("cpu_us", "proxy CPU µs", 2), ("machine_us", "machine CPU µs", 2),
       ("p50_us", "p50 µs", 1), ("p99_us", "p99 µs", 1), ("errors", "errors", 0))

BULKS = ("bulk-down-1", "bulk-down-8", "bulk-up-1", "bulk-up-8")

# (what, measures, metric, peer, how to compare, limit)
BARS = [
    ("CPU s/GB against HAProxy (splice-auto)", BULKS, "cpu_s_per_gb", "haproxy", "<=", 0.55),
    ("CPU s/GB against HAProxy splicing always", BULKS, "cpu_s_per_gb", "haproxy-splice", "<=", 0.55),
    ("CPU s/GB against HAProxy with 256 KiB pipes", BULKS, "cpu_s_per_gb", "haproxy-256k", "<=", 1.05),
    ("CPU per new connection against HAProxy", ("conn-64",), "cpu_us", "haproxy", "<=", 0.90),
    ("CPU per new connection against nginx", ("conn-64",), "cpu_us", "nginx", "<=", 1.03),
    ("set-up p50 against HAProxy", ("conn-1",), "p50_us", "haproxy", "<=", 0.90),
    ("connections routed by name against HAProxy", ("sni-64",), "rate", "haproxy", ">=", 1.15),
    ("CPU of one routed by name against a plain one", ("sni-64",), "cpu_us", "portunus-plain", "<=", 1.10),
    ("CPU per UDP exchange against nginx", ("udp-ping-64",), "cpu_us", "nginx", "<=", 0.50),
    ("one-way datagrams of 1,200 bytes against nginx", ("udp-bulk-1", "udp-bulk-4"), "gbps", "nginx", ">=", 3.0),
    ("ping-pong rate against HAProxy", ("ping-1", "ping-64"), "rate", "haproxy", ">=", 1.05),
]
QUESTIONS = {"targets": "8 healthy targets ÷ 1 target", "proxy": "PROXY v2 ÷ none", "caps": "caps far above ÷ none",
             "bpf": "BPF accounting on ÷ off"}
# The whole machine's CPU is asked about BPF too, since part of it runs in others' softirqs.
ONE_PERCENT = [
    ("targets", "bulk-down-1", "cpu_s_per_gb", 1.01), ("targets", "conn-64", "cpu_us", 1.01),
    ("caps", "bulk-down-1", "cpu_s_per_gb", 1.03), ("caps", "conn-64", "cpu_us", 1.03),
    ("bpf", "bulk-down-1", "cpu_s_per_gb", 1.01), ("bpf", "bulk-down-1", "machine_s_per_gb", 1.01),
    ("bpf", "conn-64", "cpu_us", 1.05), ("bpf", "conn-64", "machine_us", 1.05),
]


def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(r) + " |" for r in rows), ""]


def column(samples, metric):
    return [s and s.get(metric) for s in samples or []]


def ratio_text(r):
    return "–" if r is None else f"{r[0]:.3f} [{r[1]:.3f}, {r[2]:.3f}]"


def matrix_tables(results):
    out = []
    for place, measures in results.get("matrix", {}).items():
        for name in MEASURES:
            if name not in measures:
                continue
            kinds, bulk = measures[name], is_bulk(name)
            main = "gbps" if bulk else "rate"
            cost = "cpu_s_per_gb" if bulk else "cpu_us"
            shown = (UDP_BULK if is_udp(name) else BULK) if bulk else OPS
            base = "nginx" if is_udp(name) else "haproxy"
            against = LABEL.get(base, base)
            head = ["", *(t.format("conn" if "conn" in name else "msg") for _, t, _ in shown),
                    f"{'Gb/s' if bulk else 'rate'} ÷ {against}", f"CPU ÷ {against}"]
            rows = []
            for kind in KINDS:
                if kind not in kinds:
                    continue
                cells = [number(median(column(kinds[kind], m)), d) for m, _, d in shown]
                cells += [ratio_text(ratio(column(kinds[kind], m), column(kinds.get(base), m)))
                          if kind != base else "1" for m in (main, cost)]
                rows.append([LABEL.get(kind, kind), *cells])
            out += [f"### {name}, {PLACES[place]}", ""] + table(head, rows)
    return out


def pair_table(results):
    rows, pairs = [], results.get("pairs", {})
    for question, text in QUESTIONS.items():
        for name, got in pairs.get(question, {}).items():
            for metric in (("cpu_s_per_gb", "machine_s_per_gb") if "bulk" in name
                           else ("cpu_us", "machine_us")):
                r = ratio([a[metric] for a, _ in got], [b[metric] for _, b in got])
                rows.append([text, name, metric, ratio_text(r), str(len(got))])
    if not rows:
        return []
    return ["### Our own pairs (loopback)", ""] + table(
        ["what", "measure", "of", "median ratio [95 %]", "pairs"], rows)


def single_tables(results):
    out = []
    if results.get("idle"):
        rows = [[LABEL.get(k, k), number(median(column(v, "rss")), 0), number(median(column(v, "slab")), 0)]
                for k, v in results["idle"].items()]
        out += ["### Memory per idle connection (loopback)", "",
                f"{results['settings']['idle_connections']} connections held open; slab is the whole "
                "machine's, so it holds the sockets of client and backend too.", ""]
        out += table(["", "RSS bytes", "slab bytes"], rows)
    if results.get("udp_idle"):
        rows = [[LABEL.get(k, k), number(median(column(v, "rss")), 0), number(median(column(v, "slab")), 0)]
                for k, v in results["udp_idle"].items()]
        out += ["### Memory per idle UDP flow (loopback)", ""] + table(["", "RSS bytes", "slab bytes"], rows)
    scenarios = {"black_hole": "black-holed primary", "refused": "refusing primary",
                 "lost_syn": "one lost SYN, living primary", "killed": "primary killed under 200/s"}
    rows = []
    for scenario, text in scenarios.items():
        for kind, got in results.get("failover", {}).items():
            for part in ("before", "after") if scenario == "black_hole" else (None,):
                sets = [g[part] if part else g for g in got[scenario]]
                if not sets:
                    continue
                at = median([g.get("failed_after_s") for g in got[scenario]])
                split = f"{0.8 * results['settings']['hole_s']:.0f} s"
                what = {None: "", "after": ", after" + ("" if at else f" {split}"),
                        "before": f", before Failed ({at:.1f} s)" if at else f", first {split}"}[part]
                rows.append([text + what, LABEL.get(kind, kind), str(sum(s["clients"] for s in sets)),
                             str(sum(s["errors"] for s in sets)),
                             str(sum(s["by_secondary"] for s in sets)),
                             *(number(median(column(sets, m)), 2) for m in ("first", "p50", "p99")),
                             number(max((s["max"] for s in sets if s["max"] is not None), default=None), 2)])
    if rows:
        out += ["### Failover (namespaces)", "",
                "Latency that a client has on top of the usual median, in ms, from its connect() to the "
                "first answered byte. Clients come on a schedule, not after one another.", ""]
        out += table(["trouble", "", "clients", "errors", "by secondary", "first", "p50", "p99", "max"], rows)
    ports = results.get("ports", {})
    if "start_s" in ports:
        out += [f"### {ports['ports']:,} listening ports", ""] + table(
            ["start until all listen", "RSS", "reload of one rule p50", "max", "other listeners touched"],
            [[f"{ports['start_s']:.2f} s", f"{ports['rss'] / 1e6:.1f} MB",
              f"{median(ports['reload_ms']):.1f} ms", f"{max(ports['reload_ms']):.1f} ms",
              str(ports["touched"])]])
    bpf = {k: v for k, v in results.get("bpf", {}).items() if isinstance(v, dict)}
    if bpf:
        out += ["### What the BPF programs run (kernel.bpf_stats_enabled, a separate run)", ""] + table(
            ["measure", "run time", "runs"],
            [[k, f"{v['ns'] / 1e6:.3f} ms/GB" if "bulk" in k else f"{v['ns']:.0f} ns each",
              f"{v['runs']:.1f} per {'GB' if 'bulk' in k else 'each'}"]
             for k, v in bpf.items() if v["ns"] is not None])
    return out


def verdict(met):
    return "–" if met is None else "yes" if met else "**no**"


def bars(results):
    rows = []

    def add(what, bar, measured, met):
        rows.append([what, bar, measured, verdict(met)])

    for what, names, metric, peer, how, limit in BARS:
        for place, measures in results.get("matrix", {}).items():
            for name in names:
                kinds = measures.get(name, {})
                r = ratio(column(kinds.get("portunus"), metric), column(kinds.get(peer), metric))
                met = r and (r[0] <= limit if how == "<=" else r[0] >= limit)
                add(f"{what}: {name}, {PLACES[place]}", f"{'≤' if how == '<=' else '≥'} {limit:.2f}",
                    ratio_text(r), met)
    flow = median(column(results.get("udp_idle", {}).get("portunus"), "rss"))
    add("RSS per idle UDP flow", "≤ 600 B", number(flow, 0), flow <= 600 if flow is not None else None)
    rss = median(column(results.get("idle", {}).get("portunus"), "rss"))
    add("RSS per idle proxied connection", "≤ 300 B", number(rss, 0), rss is not None and rss <= 300
        if rss is not None else None)
    for question, name, metric, limit in ONE_PERCENT:
        got = results.get("pairs", {}).get(question, {})
        got = got.get(name, []) if isinstance(got, dict) else []
        r = ratio([a[metric] for a, _ in got], [b[metric] for _, b in got])
        by_interval = limit == 1.01  # what cannot be told from one percent counts as met
        add(f"{QUESTIONS[question]}: {name} {metric}",
            f"interval reaches {limit:.2f}" if by_interval else f"≤ {limit:.2f}", ratio_text(r),
            r and r[1 if by_interval else 0] <= limit)
    failover_bars(results, add)
    ports = results.get("ports", {})
    have = "start_s" in ports
    n = f"{ports['ports']:,}" if have else "10,000"
    add(f"{n} ports: start", "< 2 s", f"{ports['start_s']:.2f} s" if have else "–",
        ports["start_s"] < 2 if have else None)
    add(f"{n} ports: RSS", "< 40 MB", f"{ports['rss'] / 1e6:.1f} MB" if have else "–",
        ports["rss"] < 40e6 if have else None)
    add(f"{n} ports: reload of one rule", "< 50 ms, no other listener touched",
        f"{median(ports['reload_ms']):.1f} ms, {ports['touched']}" if have else "–",
        median(ports["reload_ms"]) < 50 and not ports["touched"] if have else None)
    return ["## Bars", ""] + table(["what", "bar", "measured", "met"], rows) + [
        "The byte accounting and its bar (0 bytes off) are checked by `make check`.", ""]


def failover_bars(results, add):
    ours = results.get("failover", {}).get("portunus", {})
    holes = ours.get("black_hole", [])
    for part, metric, bar, limit in (("before", "p99", "p99 ≤ 350 ms", 350), ("after", "p99", "p99 ≤ 1 ms", 1)):
        worst = max((g[part][metric] for g in holes if g[part][metric] is not None), default=None)
        add(f"black-holed primary: added latency {part} it is Failed", bar,
            "–" if worst is None else f"{worst:.2f} ms", None if worst is None else worst <= limit)
    for g in ours.get("lost_syn", []):
        met = g["max"] is not None and g["max"] <= 150 and not g["by_secondary"] and not g["errors"]
        add("one lost SYN to a living primary", "≤ 150 ms, no diversion",
            f"max {number(g['max'], 1)} ms, {g['by_secondary']} diverted of {g['clients']}", met)
    for got in [ours.get("killed", [])]:
        lost, of = sum(g["errors"] for g in got), sum(g["clients"] for g in got)
        add("primary killed under 200 connections/s", "0 lost but those already connected to it",
            f"{lost} of {of} lost" if got else "–", None if not got else lost == 0)


def markdown(results):
    m, s = results["machine"], results["settings"]
    return "\n".join([
        "# Performance results", "",
        f"Made by `selftests/bench/run{s['arguments']}` on {results['date']}; "
        "[performance.md](performance.md) says how and what the words mean.", "",
        f"- machine: {m['cores']} × {m['cpu']}{', virtual' if m['hypervisor'] else ''}, "
        f"{m['memory_gib']} GiB; Linux {m['kernel']}",
        f"- versions: {'; '.join(results['versions'].values()) or 'none'}",
        f"- congestion control {s['congestion']}, {s['threads']} threads per proxy, rounds: "
        f"{', '.join(f'{n} on {PLACES[p]}' for p, n in s['rounds'].items())}; "
        f"{s['seconds']} s per sample after {s['warm_up']} s of warm-up, {s['pairs']} pairs",
        f"- other load during the run: {s['load_before']} (load average before)",
        *([f"- not measured: {k}: {v}" for k, v in results["lacking"].items()]),
        *([f"- **{n}**" for n in results["notes"]]), "",
        *([] if not s["quick"] else ["**A quick run: it shows that everything works, its figures are "
                                    "not to be quoted.**", ""]),
        *bars(results), "## Measures", "", *matrix_tables(results), *pair_table(results),
        *single_tables(results)]).rstrip() + "\n"
