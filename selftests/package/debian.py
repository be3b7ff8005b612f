# SPDX-License-Identifier: MIT
"""The packages of this tree, and a Debian tree that boots with systemd as process 1 to try them in."""
import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))
from cases import BUILD, ROOT, Failure, Skip, until  # pylint: disable=wrong-import-position,unused-import

DEBS = os.path.join(BUILD, "deb")
BOOT_SECONDS = 60
# What the tree has besides what every Debian has; it is no larger than the packages and the cases need.
BELONGS = ("systemd", "systemd-sysv", "dbus", "iproute2")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def output(*argv, **kw):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                       timeout=kw.pop("timeout", 120), check=False, **kw)
    if p.returncode:
        raise Failure(f"{' '.join(argv)}: exit {p.returncode}: {p.stdout[-1500:]}")
    return p.stdout


def build_debs(out=DEBS):
    output(os.path.join(ROOT, "scripts/build-deb"), out, timeout=600)
    return out


def debs(folder=DEBS):
    found = sorted(p for p in glob.glob(f"{folder}/portunus-*.deb") if "-dbgsym" not in p)
    if not found:
        build_debs(folder)
        return debs(folder)
    return found


def with_version(deb, version, folder):
    """The same package under another version, as if something else had been built."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        output("dpkg-deb", "-R", deb, f"{work}/x")
        control = f"{work}/x/DEBIAN/control"
        with open(control, encoding="utf-8") as f:
            text = re.sub(r"^Version: .*", f"Version: {version}", f.read(), flags=re.M)
        with open(control, "w", encoding="utf-8") as f:
            f.write(text)
        name = re.sub(r"_.*?_", f"_{version}_", os.path.basename(deb))
        output("dpkg-deb", "-Zgzip", "-b", f"{work}/x", f"{folder}/{name}")
    return f"{folder}/{name}"


def needs():
    if os.geteuid():
        raise Skip("needs root")
    missing = [t for t in ("mmdebstrap", "systemd-nspawn", "apt-ftparchive", "nsenter") if not shutil.which(t)]
    if missing:
        raise Skip(f"no {', '.join(missing)} (scripts/install-deps check)")


def fetch(folder, packages):
    """All that a Debian of its own needs for these, by way of this machine's apt, as a source of packages."""
    os.makedirs(f"{folder}/partial")
    open(f"{folder}/status", "w", encoding="utf-8").close()
    try:
        p = subprocess.run(["apt-get", "-q", "-y", "-o", f"Dir::State::status={folder}/status",
                            "-o", f"Dir::Cache::archives={folder}", "-o", "APT::Sandbox::User=root",
                            "-o", "APT::Install-Recommends=false", "-o", "Acquire::Retries=3", "--download-only",
                            "install", "?essential", *BELONGS, *packages],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise Skip("apt-get brought no packages within 300 s") from None
    if p.returncode:
        raise Skip(f"apt-get brings no packages: {p.stdout.strip().splitlines()[-1]}")
    packed = output("apt-ftparchive", "packages", ".", cwd=folder)
    with open(f"{folder}/Packages", "w", encoding="utf-8") as f:
        f.write(packed)
    release = output("apt-ftparchive", "-o", "APT::FTPArchive::Release::Suite=here", "release", ".", cwd=folder)
    with open(f"{folder}/Release", "w", encoding="utf-8") as f:
        f.write(release)


def depends(deb):
    """The first choice for each thing that the package needs."""
    return [re.split(r"[ |(]", d.strip())[0] for d in output("dpkg-deb", "-f", deb, "Depends").split(",")]


def make_tree(where, packages):
    """A Debian tree with all that the packages depend on, but not them."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(where)) as source:
        fetch(source, packages)
        include = sorted({*BELONGS, *(d for p in packages for d in depends(p))})
        skip = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale", "zoneinfo")]
        try:
            # In namespaces of its own: however it ends, nothing stays mounted in the tree, nor runs in it.
            output("unshare", "-m", "--propagation", "private", "-p", "--mount-proc", "-f", "--kill-child",
                   "mmdebstrap", "--mode=root", "--variant=essential", f"--include={','.join(include)}",
                   "--dpkgopt=force-unsafe-io", *skip, "here", where, f"deb [trusted=yes] copy://{source} ./",
                   timeout=400)
        except subprocess.TimeoutExpired:
            raise Skip("mmdebstrap made no tree within 400 s") from None


def cgroup(name):
    root = "/sys/fs/cgroup/unified" if os.path.exists("/sys/fs/cgroup/unified/cgroup.procs") else "/sys/fs/cgroup"
    os.makedirs(f"{root}/{name}", exist_ok=True)
    return f"{root}/{name}"


class Machine:
    """A tree, booted: its own file systems over the tree, its own network, cgroup and bpffs."""

    def __init__(self, tree, work):
        self.dir = tempfile.mkdtemp(prefix="machine.", dir=work)
        self.cgroup = cgroup(f"portunus-{os.path.basename(self.dir)}-{os.getpid()}")
        for d in ("upper", "work", "root"):
            os.mkdir(f"{self.dir}/{d}")
        layers = f"lowerdir={tree},upperdir={self.dir}/upper,workdir={self.dir}/work"
        script = (f"echo $$ >{self.cgroup}/cgroup.procs && mount -t tmpfs -o mode=755 run /run && "
                  f"mount -t bpf bpf /sys/fs/bpf && mount -t overlay -o {layers} tree {self.dir}/root && "
                  f"exec systemd-nspawn -q -D {self.dir}/root --machine=portunus-{os.getpid()} --boot "
                  "--register=no --keep-unit --private-network --capability=all --system-call-filter=bpf "
                  "--bind=/sys/fs/bpf --link-journal=no")
        self.console = open(f"{self.dir}/console", "wb")
        self.nspawn = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script],
                                       stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
                                       preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.leader = until(self.find_leader, self.said, 20)
        until(lambda: self.run("systemctl", "is-system-running", ok=False).strip() in ("running", "degraded"),
              self.said, BOOT_SECONDS, 0.1)

    def said(self):
        with open(f"{self.dir}/console", encoding="utf-8", errors="replace") as f:
            return "a booted Debian; its console: " + f.read()[-1500:]

    def find_leader(self):
        if self.nspawn.poll() is not None:
            raise Skip("systemd-nspawn does not start here: " + self.said())
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat, encoding="utf-8", errors="replace") as f:
                    name, rest = f.read().rsplit(")", 1)
            except OSError:
                continue
            if rest.split()[1] == str(self.nspawn.pid) and name.endswith("(systemd"):
                return stat.split("/")[2]
        return None

    def enter(self, *argv):
        return ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", *argv]

    def in_network(self, *argv):
        """A program of the host in the machine's network."""
        return ["nsenter", "-t", self.leader, "-n", "--", *argv]

    def run(self, *argv, ok=True, timeout=90, **env):
        """Runs a command in the machine; what it prints."""
        p = subprocess.run(self.enter("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                      "DEBIAN_FRONTEND=noninteractive", *(f"{k}={v}" for k, v in env.items()),
                                      *argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False)
        if ok and p.returncode:
            raise Failure(f"{' '.join(argv)}: exit {p.returncode}: {p.stdout[-1500:]}")
        return p.stdout

    def path(self, name):
        return f"/proc/{self.leader}/root/{name.lstrip('/')}"

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def there(self, name):
        return os.path.lexists(self.path(name))

    def show(self, unit, *properties):
        text = self.run("systemctl", "show", unit, *(f"-p{p}" for p in properties))
        return dict(line.split("=", 1) for line in text.splitlines())

    def install(self, *packages):
        """dpkg -i, as unattended upgrades do it: what the administrator has changed stays."""
        names = []
        for p in packages:
            shutil.copy(p, self.path("/root"))
            names.append("/root/" + os.path.basename(p))
        return self.run("dpkg", "--force-confold", "-i", *names)

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, ok=False)

    def close(self):
        self.run("systemctl", "poweroff", "--force", "--force", ok=False)
        try:
            self.nspawn.wait(15)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.console.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        # systemd-nspawn makes cgroups of the same name in other hierarchies too.
        for top in {self.cgroup, *glob.glob("/sys/fs/cgroup/*/" + os.path.basename(self.cgroup))}:
            for d, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(d)
                except OSError:
                    pass
