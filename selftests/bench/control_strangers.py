# SPDX-License-Identifier: MIT
"""What selftests/bench/control measures of lists of many rules, and of floods of refused requests."""
import os
import subprocess
import threading
import time

from control_measures import NAME, expect, ms, quantile
from crowd import Crowd, LogReader, ask, connection, enrol, push_all, rule
from flood import Flood
from rig import TOKEN, Server


def latencies(server, seconds, pause, fresh):
    """How long `who am I` takes, on one connection or with @fresh on a new one each time."""
    c, found, end = connection(server), [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        if fresh:
            c = connection(server)
        expect(ask(c, "GET", "/v1/users/me"), 200)
        found.append(time.monotonic() - began)
        if fresh:
            c.close()
        time.sleep(pause)
    return found


def figures(values):
    return f"p50 {ms(quantile(values, 0.5))}, p99 {ms(quantile(values, 0.99))}, worst {ms(max(values))} of {len(values)}"


def lists(rules, seconds):
    """Whether others wait while the list of many rules is made, over and over."""
    rows = []
    with Server() as s, LogReader(s), Crowd(enrol(s, 1)):
        push_all(s, (rule(NAME, 10000 + j) for j in range(rules)))
        idle = latencies(s, seconds, 0.002, False)
        rows.append((f"an answer beside nothing, {rules} rules", figures(idle), "", None))
        for what, path in (("list of rules", "/v1/rules"), ("metrics", "/v1/metrics")):
            loop = f"while :; do curl -s -o /dev/null -H 'Authorization: Bearer {TOKEN}' http://{s.http}{path}; done"
            with subprocess.Popen(["sh", "-c", loop], start_new_session=True) as p:
                time.sleep(0.3)
                busy = latencies(s, seconds, 0.002, False)
                os.killpg(p.pid, 15)
            ok = quantile(busy, 0.99) - quantile(idle, 0.5) < 0.010
            rows.append((f"an answer while the {what} is asked for without pause", figures(busy),
                         "p99 ≤ 10 ms more", ok))
    return rows


def flood(seconds):
    """Others' answers, and what is left behind, while strangers ask as fast as they can."""
    rows = []
    with Server() as s, LogReader(s), Crowd(enrol(s, 1)) as edge:
        expect(ask(connection(s), "POST", "/v1/tokens", {"name": "real", "role": "viewer"}), 201)
        for n in (1, 64, 4096):
            before = s.stored()
            with Flood(s.http, n, seconds + 1) as f:
                time.sleep(1)
                kept, pushes = [], []
                t = threading.Thread(target=lambda into=kept: into.extend(latencies(s, seconds - 0.5, 0.01, False)))
                t.start()
                fresh = latencies(s, seconds - 0.5, 0.01, True)
                t.join()
                answers = f.answers() / (seconds + 1)
            grown = s.stored() - before
            with Flood(s.http, n, seconds) as f:
                c = connection(s)
                time.sleep(1.5)
                for j in range(50):
                    began = time.monotonic()
                    made = expect(ask(c, "POST", "/v1/rules", rule(NAME, 20000 + j)), 201)
                    pushes.append(time.monotonic() - began)
                    expect(ask(c, "DELETE", f"/v1/rules/{made['rule_id']}"), 204)
            worst = max(quantile(v, 0.99) for v in (kept, fresh, pushes))
            rows.append((f"{n} connections that are refused, {answers:.0f} times a second",
                         f"known connection {figures(kept)}; new connection {figures(fresh)}; "
                         f"push to the edge and back {figures(pushes)}", "p99 < 50 ms", worst < 0.05))
            trail = expect(ask(connection(s), "GET", "/v1/audit?limit=1000"), 200)
            kept_row = any(r.get("resource_value") == "real" for r in trail)
            rows.append(("the same: left behind",
                         f"{sum(r['actor'] == '_anonymous' for r in trail)} rows in the trail, store {grown // 1024} KiB "
                         f"larger, the earlier row is {'there' if kept_row else 'GONE'}",
                         "< 1 MiB an hour, rows stay", kept_row and grown < 1 << 20))
        del edge
    return rows
