# SPDX-License-Identifier: MIT
"""Three hosts in network namespaces: client — edge — targets, and packet filters between them.

    client 10.7.1.2, fd07:1::2 ── 10.7.1.1, fd07:1::1 edge 10.7.2.1, fd07:2::1 ── targets
The targets' host has the addresses 10.7.2.11 … 18 and fd07:2::11 … 18.
"""
import contextlib
import ctypes
import os
import socket
import subprocess

import lib

CLIENT_IP, CLIENT_IP6 = "10.7.1.2", "fd07:1::2"
EDGE_IP, EDGE_IP6 = "10.7.1.1", "fd07:1::1"
TARGETS = [f"10.7.2.{n}" for n in range(11, 19)]
TARGETS6 = [f"fd07:2::{n}" for n in range(11, 19)]
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

    def loss(self, t, one_in=50):
        """Every host loses this share of the TCP packets that arrive."""
        for host in (self.client, self.edge, self.targets):
            self.filter(t, host, f"meta l4proto tcp numgen random mod {one_in} == 0 drop")
