# SPDX-License-Identifier: MIT
"""The test runner: named cases, one line each, nothing left behind whatever happens.

A test file imports this, marks functions with @case and ends with lib.main(). A case gets a Case,
to which everything that has to be undone is attached. Output: `ok N name`, `not ok N name: why`,
`skip N name: reason`, and last `N passed, N failed, N skipped`.
"""
import argparse
import fcntl
import glob
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))
from cases import BUILD, PATIENCE, ROOT, Failure, Skip, check, equal, until  # pylint: disable=wrong-import-position,unused-import

CLIENT = os.environ.get("PORTUNUS_CLIENT", os.path.join(BUILD, "portunus-client"))
# Of a build with a sanitizer, whose runtime needs time, memory and system calls of its own.
SANITIZED = bool({"san", "tsan"} & set(CLIENT.split(os.sep)))
PEER = os.path.join(BUILD, "tools", "peer")
# An edge that makes a system call which is not on its list dies, so every case is a test of the list.
HOOKS = os.environ.get("PORTUNUS_TEST_HOOKS", "1") == "1"
BPFFS = "/sys/fs/bpf"
RUN = f"nt{os.getpid()}-"  # begins the name of all that outlives a process: namespaces, pins, cgroups
CASE_SECONDS = 30
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGSYS, signal.SIGFPE)


class OutOfTime(BaseException):
    """The watchdog's; not an Exception, so that no handler of a case eats it."""


def always(condition, what, seconds):
    """The opposite: fails as soon as condition() is false within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(condition(), what)
        time.sleep(0.05)


class Case:
    """What a running case holds: a directory, processes, and what has to be undone."""

    def __init__(self, name, lab, tmp):
        self.name = name
        self.lab = lab
        self.tmp = tmp
        self.processes = []
        self.undo = []

    def defer(self, function, *args):
        self.undo.append((function, args))

    def path(self, name):
        return os.path.join(self.tmp, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def spawn(self, argv, ns=None, **kw):
        p = Process(argv, ns=ns, **kw)
        self.processes.append(p)
        return p

    def run(self, argv, ns=None, seconds=20, ok=True, **kw):
        """Runs to the end; returns the finished Process. With ok a failure is the case's failure."""
        p = self.spawn(argv, ns=ns, **kw)
        rc = p.wait(seconds)
        if rc == 0:
            self.processes.remove(p)  # its output says nothing about a later failure
        elif ok:
            raise Failure(f"{' '.join(map(str, argv))}: exit {rc}: {p.text()[-500:]}")
        return p

    def close(self):
        trouble = None
        for function, args in reversed(self.undo):
            try:
                function(*args)
            except Exception as e:  # the rest has to be undone all the same
                trouble = trouble or f"cleaning up: {e}"
        for p in self.processes:
            p.kill()
            trouble = trouble or p.crash()
        if trouble:
            raise Failure(trouble)


class Process:
    """A child whose output is read as it comes; lines of JSON become events."""

    def __init__(self, argv, ns=None, env=None, stdin=False, wrap=(), unread=False):
        """unread: nobody reads its stderr, whose pipe holds 4 KiB, until read_on()."""
        self.argv = [str(a) for a in argv]
        self.lines = []  # of stdout and stderr, as they came
        self.out = []    # of stdout
        self.events = []
        self.changed = threading.Condition()
        enter = ["nsenter", f"--net=/run/netns/{ns.name}", "--"] if ns else []
        self.popen = subprocess.Popen(
            [*enter, *wrap, *self.argv], env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.pid = self.popen.pid
        self.readers = [threading.Thread(target=self._read, args=(f, keep), daemon=True)
                        for f, keep in ((self.popen.stdout, self.out), (self.popen.stderr, None))]
        if unread:
            fcntl.fcntl(self.popen.stderr, fcntl.F_SETPIPE_SZ, 4096)
        for r in self.readers[:1] if unread else self.readers:
            r.start()

    def _read(self, stream, keep):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            try:
                event = json.loads(line) if line.startswith("{") else None
            except ValueError:
                event = None
            with self.changed:
                self.lines.append(line)
                if keep is not None:
                    keep.append(line)
                if isinstance(event, dict):
                    self.events.append(flat(event))
                self.changed.notify_all()

    def read_on(self):
        """Somebody reads stderr again."""
        self.readers[1].start()

    def say(self, text="\n"):
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def stdout(self):
        with self.changed:
            return "\n".join(self.out)

    def mark(self):
        """Where the events are now: pass it as since= to look only at later ones."""
        with self.changed:
            return len(self.events)

    def found(self, event, since=0, **fields):
        """The events so far that have this name and these fields."""
        with self.changed:
            return [e for e in self.events[since:] if e.get("event") == event and
                    all(e.get(k) == v for k, v in fields.items())]

    def expect(self, event, since=0, seconds=10, count=1, **fields):
        """Waits for the count-th such event and returns it."""
        seconds *= PATIENCE
        end = time.monotonic() + seconds
        while True:
            dead = self.popen.poll() is not None and not any(r.is_alive() for r in self.readers)
            found = self.found(event, since, **fields)
            if len(found) >= count:
                return found[count - 1]
            left = end - time.monotonic()
            what = f"{event} {fields or ''}".rstrip() + (f" ×{count}" if count > 1 else "")
            check(not dead, f"no {what}: {os.path.basename(self.argv[0])} exited "
                            f"{self.popen.returncode}: {self.text()[-300:]}")
            check(left > 0, f"no {what} within {seconds:g} s (had {len(found)})")
            with self.changed:
                self.changed.wait(min(left, 0.1))

    def alive(self):
        return self.popen.poll() is None

    def wait(self, seconds=10):
        seconds *= PATIENCE
        try:
            rc = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{os.path.basename(self.argv[0])} still runs after {seconds:g} s") from None
        self._join()
        return rc

    def _join(self):
        for r in self.readers:
            if r.ident:  # else nobody reads that stream
                r.join(2)

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()
        self._join()

    def crash(self):
        """What went wrong inside it, as a signal or a sanitizer tells; None: nothing."""
        if -self.popen.returncode in CRASHES:
            return f"{os.path.basename(self.argv[0])} died of {signal.strsignal(-self.popen.returncode)}"
        return next((line for line in self.lines
                     if "Sanitizer" in line or "runtime error:" in line), None)

    def status(self, field):
        """A field of /proc/PID/status, e.g. VmRSS in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        return 0

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def flat(event):
    """{"level", "fields": {…}} of the programs' logs and the peers' own lines, in one form."""
    fields = event.get("fields")
    if isinstance(fields, dict):
        return {**fields, "level": event.get("level")}
    return event


def free_port(used=set()):
    """Ports are free as namespaces are our own; each is handed out once per run."""
    port = 20000
    while port in used:
        port += 1
    used.add(port)
    return port


def cgroup(t):
    """A new cgroup (v2) without processes; it goes at the end of the run."""
    root = next((p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                 if os.path.exists(f"{p}/cgroup.procs") and
                 os.path.exists(f"{p}/cgroup.controllers")), None)
    if not root:
        raise Skip("no cgroup v2 hierarchy")
    return tempfile.mkdtemp(prefix=RUN, dir=root)


def needs_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def needs_client():
    if not os.access(CLIENT, os.X_OK):
        raise Skip(f"{os.path.relpath(CLIENT, ROOT)} is not built")


def needs_bpf():
    """What accounting in the kernel takes."""
    needs_client()
    if not os.path.ismount(BPFFS):
        subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=False, capture_output=True)
    if not os.path.ismount(BPFFS):
        raise Skip(f"no BPF file system at {BPFFS}")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        raise Skip("the kernel has no BTF")


def needs_tool(name):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed")


_cases = []


def case(function=None, *, seconds=CASE_SECONDS, needs=()):
    """Marks a test case. needs: functions that raise Skip where something is lacking."""
    def mark(f):
        _cases.append((f.__name__, f, seconds, tuple(needs)))
        return f
    return mark(function) if function else mark


def _janitor(lab_prefix, tmp):
    """Forks a process that tidies up when this one is gone, in whichever way; returns its handle."""
    r, w = os.pipe()
    pid = os.fork()
    if pid:
        os.close(r)
        return pid, w
    os.close(w)
    os.setsid()
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    os.read(r, 1)
    tidy(lab_prefix, tmp)
    os._exit(0)


def tidy(prefix, tmp):
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "check": False, "text": True}
    listing = subprocess.run(["ip", "netns", "list"], **quiet).stdout
    names = [line.split()[0] for line in listing.splitlines() if line.startswith(prefix)]
    for name in names:
        for pid in subprocess.run(["ip", "netns", "pids", name], **quiet).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
    for name in names:
        subprocess.run(["ip", "netns", "del", name], **quiet)
    for kind in ("v", "relay-v"):
        for d in glob.glob(f"{BPFFS}/portunus/{kind}*-{prefix}*"):
            shutil.rmtree(d, ignore_errors=True)
    for f in glob.glob(f"/run/portunus/client-{prefix}*"):
        os.unlink(f)
    for d in glob.glob(f"/sys/fs/cgroup/**/{prefix}*", recursive=True):
        try:
            os.rmdir(d)
        except OSError:
            pass
    shutil.rmtree(tmp, ignore_errors=True)


def _alarm(_signum, _frame):
    raise OutOfTime()


def _stop(signum, _frame):
    raise SystemExit(128 + signum)


def _one(number, name, function, seconds, needs, lab, tmp):
    seconds = math.ceil(seconds * PATIENCE)
    t = Case(name, lab, tempfile.mkdtemp(prefix="case-", dir=tmp))
    os.chmod(t.tmp, 0o755)
    verdict, why, tail = "ok", "", ""
    try:
        for need in needs:
            need()
        signal.alarm(seconds)
        function(t)
    except Skip as e:
        verdict, why = "skip", str(e)
    except Failure as e:
        verdict, why = "not ok", str(e)
        here = [f for f in traceback.extract_tb(e.__traceback__)
                if os.path.basename(f.filename) == os.path.basename(sys.argv[0])]
        tail = f"at line {here[-1].lineno}: {here[-1].line}" if here else ""
    except OutOfTime:
        verdict, why, tail = "not ok", f"not done after {seconds} s", traceback.format_exc(limit=-4)
    except Exception as e:
        verdict, why, tail = "not ok", f"{type(e).__name__}: {e}", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
    logs = "" if verdict != "not ok" else "".join(
        f"  | {os.path.basename(p.argv[0])}: {line[:400]}\n"
        for p in t.processes for line in p.lines[-12:])
    try:
        signal.alarm(math.ceil(20 * PATIENCE))
        t.close()
    except (Failure, OutOfTime) as e:
        if verdict != "not ok":
            verdict, why = "not ok", str(e) or "cleaning up took too long"
    finally:
        signal.alarm(0)
    why = " ".join(why.split())
    print(f"{verdict} {number} {name}" + (f": {why}" if why else ""))
    if tail or logs:
        print("".join(f"  {line}\n" for line in tail.splitlines()) + logs, end="")
    sys.stdout.flush()
    return verdict


def main(make_lab=None):
    """Runs the cases of the file that called; make_lab(prefix) builds what they share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", metavar="NAME", action="append", help="run these cases only")
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--repeat", type=int, default=1, help="run all of it this many times")
    args = parser.parse_args()
    chosen = [c for c in _cases if not args.only or c[0] in args.only]
    if args.list:
        print("\n".join(c[0] for c in _cases))
        return
    if not chosen:
        sys.exit(f"no such case: {args.only}")
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    signal.signal(signal.SIGALRM, _alarm)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, _stop)
    tmp = tempfile.mkdtemp(prefix=RUN)
    os.chmod(tmp, 0o755)
    janitor, leash = _janitor(RUN, tmp)
    try:
        lab, why = None, None
        try:
            needs_root()
            lab = make_lab(RUN) if make_lab else None
        except (Skip, Failure) as e:
            why = e
        number = 0
        for _ in range(args.repeat):
            for name, function, seconds, needs in chosen:
                number += 1
                if why:
                    verdict = "skip" if isinstance(why, Skip) else "not ok"
                    print(f"{verdict} {number} {name}: {why}")
                else:
                    verdict = _one(number, name, function, seconds, needs, lab, tmp)
                counts[verdict] += 1
    finally:
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        os.close(leash)
        os.waitpid(janitor, 0)
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skip']} skipped")
    sys.exit(1 if counts["not ok"] else 0)
