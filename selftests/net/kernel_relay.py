# SPDX-License-Identifier: MIT
"""What tests of the kernel relay share: an edge whose rule asks for it, and random conversations."""
import os
import random
import socket
import struct

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
        row, want = edge.stats(), (sums["sent"], sums["received"])
        # What was received counts at the other socket of the same direction: the two check each other.
        kernel = row["kernel"]
        if kernel["basis"] == "acked" and (kernel["received_in"], kernel["received_out"]) != want:
            return None
        return row if (row["bytes_in"], row["bytes_out"]) == want else None
    return lib.until(right, lambda: f"the bytes of {sums}: {edge.stats()}")


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


FIN, RST, ACK = 1, 4, 16


def forge(t, client, server, flags, seq=None, ack=None):
    """A segment without payload from somebody on the client's network who knows only addresses and ports."""
    seq, ack = (random.getrandbits(32) if n is None else n for n in (seq, ack))
    head = struct.pack("!HHIIBBHHH", client[1], server[1], seq, ack, 5 << 4, flags, 65535, 0, 0)
    pseudo = socket.inet_aton(client[0]) + socket.inet_aton(server[0]) + struct.pack("!BBH", 0, 6, len(head))
    head = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    with t.lab.client.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with s:
        s.sendto(head, (server[0], 0))


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
