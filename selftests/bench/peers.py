# SPDX-License-Identifier: MIT
"""The proxies that are compared: how each is configured, started and ended. Two threads for all."""
import glob
import json
import os
import subprocess
from datetime import datetime

from rig import Failure, Process, sh

THREADS = 2
SNI = "a.example"
FDS = 20000
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

HAPROXY = """global
  nbthread {threads}
  maxconn 6000
{extra}
defaults
  mode tcp
{splice}
  timeout connect 3s
  timeout client 300s
  timeout server 300s
  maxconn 6000
listen bench
  bind :{port}
{route}
{servers}
"""

# The documented way to choose a backend by the name of the hello: it waits for all of it.
HAPROXY_SNI = """  tcp-request inspect-delay 3s
  tcp-request content accept if {{ req.ssl_sni -i {name} }}
  tcp-request content reject"""

NGINX = """load_module {module};
user root;
daemon off;
worker_processes {threads};
worker_rlimit_nofile {fds};
error_log stderr error;
pid {dir}/{name}.pid;
events {{ worker_connections 18000; }}
stream {{
{route}
  upstream bench {{
{servers}
  }}
  server {{
    listen {port} {listen}reuseport;
    proxy_pass {to};
    proxy_connect_timeout 3s;
    proxy_timeout 300s;
  }}
}}
"""


class Proxy:
    """One proxy in one place. targets are (host, port) in order of preference: the first serves,
    the others are backups, which is what a rule of ours means."""

    kind, udp = "", False

    def __init__(self, rig, place, port, targets, name=None):
        self.rig, self.place, self.port, self.targets = rig, place, port, targets
        self.name = f"{name or self.kind}-{place.name}-{port}"
        self.process = None

    @property
    def to(self):
        return f"{self.place.proxy_ip}:{self.port}"

    def file(self, ending, text):
        path = os.path.join(self.rig.dir, f"{self.name}.{ending}")
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    def argv(self):
        raise NotImplementedError

    def start(self, wait=True):
        self.process = Process(self.rig, self.name, self.place.proxy, self.argv())
        if wait:
            self.process.wait_listening(self.port, udp=self.udp)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def pids(self):
        return ",".join(map(str, self.process.pids())) if self.process else None


class Path(Proxy):
    """No process: the backend itself, or kernel NAT in front of it."""

    def __init__(self, rig, place, to):
        super().__init__(rig, place, 0, [])
        self.target = to

    @property
    def to(self):
        return self.target

    def start(self, wait=True):
        return self


class Haproxy(Proxy):
    kind, extra, splice, route = "haproxy", "", "  option splice-auto", ""

    def argv(self):
        first, *rest = self.targets
        # Backups are only asked once the others are down, so failing connects have to mark it down.
        check = (" check inter 1s fastinter 200ms fall 2 observe layer4 error-limit 3"
                 " on-error mark-down") if rest else ""
        servers = [f"  server t0 {first[0]}:{first[1]}{check}"]
        servers += [f"  server t{i} {h}:{p} backup{check}" for i, (h, p) in enumerate(rest, 1)]
        if rest:
            servers.append("  option redispatch 1\n  timeout check 1s")
        return ["haproxy", "-db", "-f", self.file("cfg", HAPROXY.format(
            threads=THREADS, port=self.port, extra=self.extra, splice=self.splice, route=self.route,
            servers="\n".join(servers)))]


class HaproxySplice(Haproxy):
    """Splices always. Version 2.6 was seen to go on copying under splice-auto in all bulk measures
    here, and a comparison with a proxy that copies would be too easy."""

    kind, splice = "haproxy-splice", "  option splice-request\n  option splice-response"


class HaproxyBigPipes(HaproxySplice):
    kind, extra = "haproxy-256k", "  tune.pipesize 262144\n"


class HaproxySni(Haproxy):
    route = HAPROXY_SNI.format(name=SNI)


class Nginx(Proxy):
    kind, listen, route, to_upstream = "nginx", "", "", "bench"

    def argv(self):
        first, *rest = self.targets
        servers = [f"    server {first[0]}:{first[1]} max_fails=3 fail_timeout=30s;"]
        servers += [f"    server {h}:{p} backup;" for h, p in rest]
        return ["nginx", "-e", "stderr", "-p", self.rig.dir, "-c", self.file("conf", NGINX.format(
            module=STREAM_MODULE, threads=THREADS, fds=FDS, port=self.port, dir=self.rig.dir,
            name=self.name, listen=self.listen, route=self.route, to=self.to_upstream,
            servers="\n".join(servers)))]


class Ours(Proxy):
    """portunus-client with a rules file; an instance of its own, so that its pins are its own."""

    kind, accounting, binary = "portunus", "bpf", None

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.instance = f"{self.rig.tag}-{self.place.name}-{self.port}"
        self.rig.undo(self.unpin)

    def rules(self):
        return [{"listen_port": self.port,
                 "targets": [{"host": h, "port": p} for h, p in self.targets]}]

    def argv(self):
        if not os.access(self.binary, os.X_OK):
            raise Failure("portunus-client is not built")
        path = self.file("json", json.dumps(self.rules()))
        argv = [self.binary, "--rules", path, "--instance", self.instance,
                "--workers", str(THREADS), "--state-dir", self.rig.dir,
                "--shutdown-drain-timeout-secs", "0"]
        if self.accounting == "user":
            argv += ["--accounting", "user"]
        return argv

    def unpin(self):
        sh(self.binary, "unpin", "--instance", self.instance)
        for path in glob.glob(f"/run/portunus/client-{self.instance}.*"):
            os.unlink(path)

    def accounting_in_force(self):
        """What its log says: "bpf", or "user" with the reason; None if nothing."""
        for fields in self.events("edge.started"):
            return fields.get("accounting"), fields.get("reason")
        return None, "no edge.started in its log"

    def events(self, name):
        """The fields of its log lines of one event, with the wall-clock time as "at"."""
        found = []
        for line in self.process.log().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("fields", {}).get("event") == name:
                stamp = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
                found.append({**event["fields"], "at": stamp.timestamp()})
        return found


class OursUser(Ours):
    kind, accounting = "portunus-user", "user"


class OursKernel(Ours):
    """Each connection is handed over to the kernel as soon as it can be."""

    kind, relay = "portunus-kernel", "kernel"

    def rules(self):
        return [{**r, "relay": self.relay} for r in super().rules()]


class OursAuto(OursKernel):
    """Those that talk more than once are."""

    kind, relay = "portunus-auto", "auto"


class NginxSni(Nginx):
    route = f"  map $ssl_preread_server_name $by_name {{ {SNI} bench; }}\n  ssl_preread on;"
    to_upstream = "$by_name"


class NginxUdp(Nginx):
    udp, listen = True, "udp "


class Socat(Proxy):
    """A process for each flow, which ends 3 s after its last datagram."""

    kind, udp = "socat", True

    def argv(self):
        host, port = self.targets[0]
        return ["socat", "-T3", f"UDP4-LISTEN:{self.port},fork,reuseaddr", f"UDP4:{host}:{port}"]


class OursUdp(Ours):
    udp = True

    def rules(self):
        return [{**r, "protocol": "udp", "udp_max_flows": 20000} for r in super().rules()]


class OursSni(Ours):
    def rules(self):
        return [{**r, "sni_pattern": SNI} for r in super().rules()]


class OursPlain(Ours):
    """What a hello costs where nobody looks at it."""

    kind = "portunus-plain"


class OursProxy(Ours):
    """The target gets a header of the PROXY protocol."""

    kind = "portunus-proxy"

    def rules(self):
        return [{**r, "targets": [{**t, "proxy_protocol": "v2"} for t in r["targets"]]}
                for r in super().rules()]


class OursCapped(Ours):
    """Caps far above what there is."""

    kind = "portunus-capped"

    def rules(self):
        return [{**r, "rate_limit": {"bandwidth_in_bps": 10**12, "bandwidth_out_bps": 10**12,
                                     "new_connections_per_sec": 10**6, "concurrent_connections": 10**6}}
                for r in super().rules()]


def versions():
    """name -> version, for those that are installed."""
    found = {}
    for name, argv in (("haproxy", ["haproxy", "-v"]), ("nginx", ["nginx", "-v"]),
                       ("socat", ["socat", "-V"]),
                       ("portunus-client", [Ours.binary, "--version"])):
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            found[name] = (done.stdout + done.stderr).strip().splitlines()[0]
        except (OSError, IndexError):
            pass
    return found


def available():
    """kind -> why it cannot run, for those that cannot."""
    lacking = {}
    have = versions()
    for name, kinds in (("haproxy", ("haproxy", "haproxy-splice", "haproxy-256k")), ("nginx", ("nginx",)),
                        ("socat", ("socat",)),
                        ("portunus-client", ("portunus", "portunus-user"))):
        if name not in have:
            lacking.update((k, f"{name} is not {'built' if 'portunus' in name else 'installed'}")
                           for k in kinds)
    if not os.path.exists(STREAM_MODULE):
        lacking["nginx"] = "nginx has no stream module"
    return lacking
