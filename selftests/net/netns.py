# SPDX-License-Identifier: MIT
"""Three hosts in network namespaces: client — edge — targets, and packet filters between them.

    client 10.7.1.2, fd07:1::2 ── 10.7.1.1, fd07:1::1 edge 10.7.2.1, fd07:2::1 ── targets
The targets' host has the addresses 10.7.2.11 … 18 and fd07:2::11 … 18. A Link is a second way from
the edge to the targets, as long and as bad as a case wants: 10.7.3.1 ── 10.7.3.11, fd07:3::1 ── 11.
"""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading

import lib

CLIENT_IP, CLIENT_IP6 = "10.7.1.2", "fd07:1::2"
EDGE_IP, EDGE_IP6 = "10.7.1.1", "fd07:1::1"
TARGETS = [f"10.7.2.{n}" for n in range(11, 19)]
TARGETS6 = [f"fd07:2::{n}" for n in range(11, 19)]
FAR, FAR6 = "10.7.3.11", "fd07:3::11"  # the targets' host, over a Link
NEAR, NEAR6 = "10.7.4.1", "fd07:4::1"  # the edge, over a Link to the client
NOWHERE = "10.7.9.9"  # no route leads there from the edge

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def command(*argv, stdin=None):
    r = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if r.returncode:
        raise lib.Failure(f"{' '.join(argv)}: {r.stderr.strip()}")
    return r.stdout


class Netns:
    """One namespace. Entered with nsenter or setns: `ip netns exec` would remount /sys."""

    def __init__(self, name):
        self.name = name
        command("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *argv, stdin=None):
        return command("nsenter", f"--net=/run/netns/{self.name}", "--", *argv, stdin=stdin)

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace meanwhile; sockets made here stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        with self.entered():
            return socket.socket(family, kind)

    def connect(self, address, seconds=10, rcvbuf=0):
        """A connected stream socket, with that time-out on each call."""
        s = self.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.settimeout(seconds)
        try:
            s.connect(address)
        except OSError:
            s.close()
            raise
        return s

    def listen(self, address, seconds=10, rcvbuf=0):
        s = self.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.settimeout(seconds)
        s.bind(address)
        s.listen(1024)
        return s

    def filter(self, rules, sets=""):
        """Replaces what arriving packets meet here: nft rules, in order. None: nothing."""
        text = "table inet nt {}\ndelete table inet nt\n"
        if rules:
            text += ("table inet nt {\n" + sets + "\nchain in { type filter hook input priority 0;\n"
                     + "\n".join(rules) + "\n}\n}\n")
        self.run("nft", "-f", "-", stdin=text)

    def sysctl(self, name, value):
        with self.entered(), open(f"/proc/sys/{name.replace('.', '/')}", "w",
                                  encoding="ascii") as f:
            f.write(str(value))


class Lab:
    """The three hosts; one per test file."""

    def __init__(self, prefix):
        for tool in ("ip", "nft", "nsenter"):
            lib.needs_tool(tool)
        try:
            self.client = Netns(prefix + "c")
        except lib.Failure as e:
            raise lib.Skip(f"no network namespaces: {e}") from e
        self.edge = Netns(prefix + "e")
        self.targets = Netns(prefix + "t")
        self._link(self.client, "to-client", 1, 2)
        self._link(self.targets, "to-targets", 2, None)
        for ip, ip6 in zip(TARGETS, TARGETS6):
            self.targets.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
            self.targets.run("ip", "addr", "add", f"{ip6}/64", "dev", "eth0", "nodad")
        # So that the peers can also be tested against each other, without an edge.
        self.edge.sysctl("net.ipv4.ip_forward", 1)
        self.edge.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.client.run("ip", "route", "add", "10.7.2.0/24", "via", EDGE_IP)
        self.targets.run("ip", "route", "add", "10.7.1.0/24", "via", "10.7.2.1")
        self.client.run("ip", "route", "add", "fd07:2::/64", "via", EDGE_IP6)
        self.targets.run("ip", "route", "add", "fd07:1::/64", "via", "fd07:2::1")

    def _link(self, host, edge_dev, net, last):
        """Joins a host's eth0 to a device of the edge, which always has .1."""
        command("ip", "link", "add", "eth0", "netns", host.name, "type", "veth",
                "peer", "name", edge_dev, "netns", self.edge.name)
        for ns, dev, number in ((host, "eth0", last), (self.edge, edge_dev, 1)):
            ns.run("ip", "link", "set", dev, "up")
            if number:
                ns.run("ip", "addr", "add", f"10.7.{net}.{number}/24", "dev", dev)
                ns.run("ip", "addr", "add", f"fd07:{net}::{number}/64", "dev", dev, "nodad")

    def filter(self, t, host, *rules, sets=""):
        """Packet filter rules at one of the hosts until the case ends."""
        host.filter(rules, sets)
        t.defer(host.filter, None)

    @contextlib.contextmanager
    def churn(self):
        """The edge's routes change about a hundred times a second meanwhile; none leads anywhere."""
        stop = threading.Event()
        batch = "".join(f"route {verb} 192.0.2.0/24 via {CLIENT_IP} metric {n}\n"
                        for n in range(1, 3) for verb in ("add", "del"))

        def change():
            while not stop.wait(0.04):
                self.edge.run("ip", "-batch", "-", stdin=batch)
        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def loss(self, t, one_in=50):
        """Every host loses this share of the TCP packets that arrive, but no RST: nobody sends it again,
        and a peer that does not get it waits for ever."""
        for host in (self.client, self.edge, self.targets):
            self.filter(t, host, f"tcp flags & rst == 0 numgen random mod {one_in} == 0 drop")


class Link:
    """A line from the edge to the targets' host that takes its time (link.c), until the case ends; with client
    one to the client's host. tap: with Ethernet headers."""

    def __init__(self, t, delay_ms=0, loss=0, reorder=0, seed=1, tap=False, client=False):
        if not os.path.exists("/dev/net/tun"):
            raise lib.Skip("no /dev/net/tun")
        net, dev = (4, "near0") if client else (3, "far0")
        ends = ((t.lab.edge, dev, 1), (t.lab.client, dev, 2) if client else (t.lab.targets, dev, 11))
        self.p = t.spawn([os.path.join(lib.BUILD, "tools", "link"),
                          *(x for ns, _, _ in ends for x in (ns.name, dev)), seed,
                          *(["tap"] if tap else [])], stdin=True)
        self.p.expect("ready")
        for ns, _, number in ends:
            ns.run("ip", "addr", "add", f"10.7.{net}.{number}/24", "dev", dev)
            ns.run("ip", "addr", "add", f"fd07:{net}::{number}/64", "dev", dev, "nodad")
            ns.run("ip", "link", "set", dev, "up")
        self.set(delay_ms, loss, reorder)

    def set(self, delay_ms=0, loss=0, reorder=0, way="both"):
        """Each way: the delay in ms (so twice of it is the round trip), loss and reordering of 1000
        packets. way: "a" from the edge, "b" to it. Returns (carried, lost, reordered) each way so far."""
        since = self.p.mark()
        self.p.say(f"{way} {delay_ms} {loss} {reorder}\n")
        event = self.p.expect("set", since)
        return tuple(event["a"]), tuple(event["b"])

    def round_trip(self, ms, **more):
        return self.set(ms / 2, **more)
