# SPDX-License-Identifier: MIT
"""What tests of the kernel relay share: an edge whose rule asks for it, and random conversations."""
import os

import lib
from edge import Edge, rule
from netns import EDGE_IP, TARGETS


def start(t, host, port, listen=None, relay="kernel", args=(), env=None, **more):
    """An edge with one rule that asks for the kernel; returns (edge, its listen port)."""
    listen = listen or lib.free_port()
    host = f"[{host}]" if ":" in host else host
    edge = Edge(t, [rule(listen, (host, port), relay=relay, **more)], args=args, env=env).start()
    if relay != "user":
        edge.p.expect("kernel_relay.ready")
    return edge, listen


def checksum_errors(t):
    """Of TCP segments, at both peers and the edge."""
    n = 0
    for ns in (t.lab.client, t.lab.edge, t.lab.targets):
        names, values = [x for x in ns.run("cat", "/proc/net/snmp").splitlines() if x.startswith("Tcp:")]
        n += int(values.split()[names.split().index("InCsumErrors")])
    return n


def exact(edge, sums):
    """The rule's figures, once they are the peers' own. A socket that the edge has closed lives on until its last
    bytes are acknowledged; where that acknowledgement is lost, they are repeated first."""
    def right():
        row = edge.stats()
        return row if (row["bytes_in"], row["bytes_out"]) == (sums["sent"], sums["received"]) else None
    return lib.until(right, lambda: f"the bytes of {sums}: {edge.stats()}")


class Exchange:
    """Random conversations through an edge; see exchange.c."""
    TOOL = os.path.join(lib.BUILD, "tools", "exchange")

    def __init__(self, t, host=TARGETS[0], ns=None):
        self.t, self.host, self.port = t, host, lib.free_port()
        self.server = t.spawn([self.TOOL, "serve", host, self.port], ns=ns or t.lab.targets, stdin=True)
        self.server.expect("listening")

    def sums(self):
        since = self.server.mark()
        self.server.say("\n")
        return self.server.expect("sums", since)

    def talk(self, port, count, parallel=16, seed=1, bulk=1 << 20, ends="csb", wait_ms=3, host=EDGE_IP, seconds=50):
        p = self.t.spawn([self.TOOL, "talk", host, port, count, parallel, seed, bulk, ends, wait_ms],
                         ns=self.t.lab.client)
        p.wait(seconds)
        return p

    def check(self, p, count):
        trouble = p.found("trouble") + self.server.found("trouble")
        sums = p.expect("sums")
        lib.check(not trouble, f"{len(trouble)} failed, the first: {trouble[0] if trouble else ''}")
        lib.equal((sums["conversations"], sums["failed"]), (count, 0), "conversations of the clients")
        lib.until(lambda: self.sums()["open"] == 0, "the server's conversations to end")
        return sums
