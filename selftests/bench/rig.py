# SPDX-License-Identifier: MIT
"""What the benchmark runs in: namespaces, cgroups, processes and settings, all undone by close()."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

CGROUP2 = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
ALLOWED = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
CONGESTION = "cubic"
# Every port a proxy or the backend listens on; outside of the ephemeral range as well.
RESERVED = "9000-9999,10000-21000"
SYSCTL = {
    "ipv4/tcp_congestion_control": CONGESTION,  # bbr paces, which would measure its clock
    "ipv4/ip_local_reserved_ports": RESERVED,
    # A small bound is reached during each warm-up, so that every sample runs with a full table
    # instead of the late ones with a full and the early ones with an empty one.
    "ipv4/tcp_max_tw_buckets": "4096",
    "core/somaxconn": "4096",
}


# bpftool and nft are there.
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Failure(Exception):
    """Something the benchmark needs did not work; the text says what."""


def sh(*argv, **kw):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **kw)
    if done.returncode:
        raise Failure(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def read(path, default=""):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except OSError:
        return default


class Netns:
    """A network namespace. Commands enter by nsenter, since `ip netns exec` would hide bpffs."""

    def __init__(self, rig, name):
        self.name = f"{rig.tag}-{name}"
        sh("ip", "netns", "add", self.name)
        rig.undo(lambda: sh("ip", "netns", "del", self.name))
        self.enter = ["nsenter", f"--net=/run/netns/{self.name}"]
        self.run("ip", "link", "set", "lo", "up")
        for key, value in SYSCTL.items():
            self.sysctl(key, value)

    def run(self, *argv, **kw):
        return sh(*self.enter, *argv, **kw)

    def sysctl(self, key, value):
        self.run("sh", "-c", f"echo '{value}' > /proc/sys/net/{key}")

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)


class Place:
    """Where a connection goes from client to proxy to backend: three namespaces, or one and its lo."""

    def __init__(self, rig, name, veth):
        self.name, self.veth = name, veth
        if not veth:
            self.client = self.proxy = self.server = Netns(rig, name)
            self.proxy_ip = self.server_ip = "127.0.0.1"
            return
        self.client, self.proxy, self.server = (Netns(rig, f"{name}-{x}") for x in "cps")
        self.proxy_ip, self.server_ip = "10.77.0.1", "10.77.1.2"
        for n, (end, end_ip, own_ip) in enumerate((
                (self.client, "10.77.0.2", "10.77.0.1"), (self.server, "10.77.1.2", "10.77.1.1"))):
            self.proxy.run("ip", "link", "add", f"v{n}", "type", "veth", "peer", "name", "v0",
                           "netns", end.name)
            self.proxy.run("ip", "addr", "add", own_ip + "/24", "dev", f"v{n}")
            self.proxy.run("ip", "link", "set", f"v{n}", "up")
            end.run("ip", "addr", "add", end_ip + "/24", "dev", "v0")
            end.run("ip", "link", "set", "v0", "up")
            end.run("ip", "route", "add", "default", "via", own_ip)
        self.proxy.sysctl("ipv4/ip_forward", "1")

    def dnat(self, port, target_port):
        """Kernel forwarding from the proxy's address; a locally made connection passes `output`."""
        hook = "prerouting" if self.veth else "output"
        self.proxy.nft(
            f"table ip bench {{\n chain to_backend {{\n  type nat hook {hook} priority -100;\n"
            f"  ip daddr {self.proxy_ip} meta l4proto {{ tcp, udp }} th dport {port}"
            f" dnat to {self.server_ip}:{target_port}\n"
            " }\n}\n")


class Process:
    """A process of ours in a namespace and in a cgroup of its own, output in a file."""

    def __init__(self, rig, name, netns, argv):
        self.name, self.log_path = name, os.path.join(rig.dir, f"{name}.log")
        self.cgroup = rig.cgroup(name)
        enter = ["sh", "-c", f'echo $$ > "{self.cgroup}/cgroup.procs"; exec "$@"', "sh"]
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                (enter if self.cgroup else []) + netns.enter + argv, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        rig.processes.append(self)
        self.rig = rig

    @property
    def pid(self):
        return self.popen.pid

    def pids(self):
        """The process and its children (nginx has workers)."""
        found, i = [self.pid], 0
        while i < len(found):
            found += map(int, read(f"/proc/{found[i]}/task/{found[i]}/children").split())
            i += 1
        return found

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        return read(self.log_path)

    def rss(self):
        """Bytes, over all processes."""
        sizes = [line.split()[1] for pid in self.pids()
                 for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("VmRSS:")]
        return 1024 * sum(map(int, sizes))

    def listening(self, udp=False):
        """Ports with a listening socket in the process' namespace -> their inodes."""
        ports = {}
        for family in ("udp", "udp6") if udp else ("tcp", "tcp6"):
            for line in read(f"/proc/{self.pid}/net/{family}").splitlines()[1:]:
                f = line.split()
                if f[3] == ("07" if udp else "0A"):
                    ports.setdefault(int(f[1].rsplit(":", 1)[1], 16), set()).add(f[9])
        return ports

    def wait_listening(self, port, seconds=10, udp=False):
        end = time.monotonic() + seconds
        while port not in self.listening(udp):
            if not self.alive() or time.monotonic() > end:
                raise Failure(f"{self.name} does not listen on {port}: {self.log()[-600:].strip()}")
            time.sleep(0.02)

    def stop(self):
        """SIGTERM, and SIGKILL after 3 s, to the pids this process is made of."""
        pids = self.pids() if self.alive() else []
        for sig, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 2)):
            for pid in (pids[:1] if sig == signal.SIGTERM else pids):
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + patience
            while time.monotonic() < end:
                self.popen.poll()
                pids = [p for p in pids if os.path.exists(f"/proc/{p}/task")
                        and (p != self.pid or self.alive())]
                if not pids:
                    break
                time.sleep(0.02)
        if self in self.rig.processes:
            self.rig.processes.remove(self)


class Rig:
    """Owns everything that has to go away again."""

    def __init__(self, load):
        self.load, self.tag = load, f"bench{os.getpid()}"
        self.undos, self.processes, self.cgroups = [], [], []
        self.dir = tempfile.mkdtemp(prefix="portunus-bench-")
        self.undo(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        self.cgroup_root = self._cgroup_root()
        # A namespace may only use algorithms from this machine-wide list.
        before = read(ALLOWED).split()
        if CONGESTION not in before:
            self.undo(lambda: self._write(ALLOWED, " ".join(before)))
            self._write(ALLOWED, " ".join(before + [CONGESTION]))

    @staticmethod
    def _write(path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def _cgroup_root(self):
        own = [x[3:] for x in read("/proc/self/cgroup").splitlines() if x.startswith("0::")]
        for mount in CGROUP2:
            if own and os.path.exists(f"{mount}/cgroup.procs"):
                path = f"{mount}{own[0].rstrip('/')}/{self.tag}"
                os.mkdir(path)
                self.undo(lambda: os.rmdir(path))
                return path
        return None

    def foreign_sockops(self):
        """How many programs of a parent cgroup see every socket made here, and cost everyone."""
        if not self.cgroup_root:
            return 0
        try:
            shown = json.loads(sh("bpftool", "-j", "cgroup", "show", self.cgroup_root, "effective"))
        except (Failure, OSError, ValueError):
            return 0
        return sum("sock_ops" in p.get("attach_type", "") for p in shown)

    def cgroup(self, name):
        """A cgroup per process, as a service manager makes them: one's BPF programs see no other's
        sockets."""
        if not self.cgroup_root:
            return None
        path = f"{self.cgroup_root}/{name}"
        if not os.path.exists(path):
            os.mkdir(path)
            self.undo(lambda: self._rmdir_soon(path))
        return path

    @staticmethod
    def _rmdir_soon(path):
        for _ in range(100):
            try:
                os.rmdir(path)
                return
            except OSError:
                time.sleep(0.02)

    def undo(self, what):
        self.undos.append(what)

    def sysctl(self, path, value):
        """Changes a machine-wide setting until the end, if it differs."""
        before = read(path).strip()
        if before != value:
            self.undo(lambda: self._write(path, before))
            self._write(path, value)
        return before

    def backend(self, place, ports, udp=False):
        verb = "udp-serve" if udp else "serve"
        p = Process(self, f"{verb}-{place.name}-{ports[0]}", place.server,
                    [self.load, verb, "--ports", ",".join(map(str, ports))])
        p.wait_listening(ports[-1], udp=udp)
        return p

    def client(self, netns, verb, to, **options):
        """Runs the load tool to its end; returns its JSON. True options are flags."""
        argv = [self.load, verb, "--to", to]
        for key, value in options.items():
            if value is True:
                argv.append("--" + key.replace("_", "-"))
            elif value or value == 0:
                argv += ["--" + key.replace("_", "-"), str(value)]
        return json.loads(netns.run(*argv))

    def close(self):
        for p in list(self.processes):
            p.stop()
        for what in reversed(self.undos):
            try:
                what()
            except (Failure, OSError) as e:
                print(f"cleaning up: {e}")
        self.undos = []
