# SPDX-License-Identifier: MIT
"""portunus-client as the tests drive it: rules, start and stop, its log and its verbs."""
import ctypes
import errno
import glob
import json
import os
import signal
import subprocess

import lib

_count = 0
_libc = ctypes.CDLL(None, use_errno=True)


def target(host, port, priority=None):
    """One entry of a rule's targets."""
    return {"host": host, "port": port, **({} if priority is None else {"priority": priority})}


def rule(listen_port, *targets, **more):
    """A rule in the shape of POST /v1/rules; targets are (host, port[, priority]) tuples."""
    return {"listen_port": listen_port, "protocol": "tcp",
            "targets": [target(*x) for x in targets], **more}


class Edge:
    """One portunus-client process in the lab's edge namespace, with its own instance and files."""

    def __init__(self, t, rules, *, args=(), env=None, wrap=(), ns=None, like=None, workers=None,
                 debug=True, unread=False):
        global _count
        _count += 1
        self.t = t
        self.ns = ns or t.lab.edge
        self.args = list(args)
        if workers:
            self.args += ["--workers", str(workers)]
        if lib.HOOKS:
            self.args.append("--test-hooks")
        self.env = {"RUST_LOG": "debug" if debug else "info", "PORTUNUS_TEST_SECCOMP": "kill", **(env or {})}
        self.wrap = wrap
        self.unread = unread
        self.p = None
        if like:  # the same instance again
            self.instance, self.dir = like.instance, like.dir
        else:
            self.instance = f"{lib.RUN}x{_count}"
            self.dir = t.path(f"edge-{_count}")
            os.mkdir(self.dir, 0o755)
            t.defer(self.remove_pins)
        self.rules_file = os.path.join(self.dir, "rules.json")
        self.socket = os.path.join(self.dir, "status.sock")
        self.rules = rules
        if rules is not None:
            self.write(rules)

    # Life

    def write(self, rules):
        text = rules if isinstance(rules, str) else json.dumps(rules, indent=1)
        with open(self.rules_file, "w", encoding="utf-8") as f:
            f.write(text)

    def spawn(self):
        """Starts it and waits for nothing."""
        argv = [lib.CLIENT, "--rules", self.rules_file, "--instance", self.instance,
                "--state-dir", self.dir, "--status-socket", self.socket, *self.args]
        self.p = self.t.spawn(argv, ns=self.ns, env=self.env, wrap=self.wrap, unread=self.unread)
        return self

    def start(self, active=True):
        """Starts it; returns when it serves (with active: when every rule is active)."""
        self.spawn()
        self.p.expect("edge.started", seconds=15)
        if active and isinstance(self.rules, list):
            for r in self.rules:
                self.p.expect("rule.activated", port=r["listen_port"])
        return self

    def stop(self, seconds=15):
        """SIGTERM; returns the exit status."""
        self.p.signal(signal.SIGTERM)
        return self.p.wait(seconds)

    def reload(self, rules, event="rules.loaded"):
        """Writes the rules and has them re-read; returns the event that says how it went, which has to be @event."""
        self.write(rules)
        since = self.p.mark()
        self.p.signal(signal.SIGHUP)
        lib.until(lambda: self.p.found("rules.loaded", since) or
                  self.p.found("rules.rejected", since), "rules.loaded or rules.rejected")
        got = (self.p.found("rules.loaded", since) + self.p.found("rules.rejected", since))[0]
        lib.equal(got["event"], event, f"reload ({got.get('message')})")
        return got

    def remove_pins(self):
        if self.p:
            self.p.kill()
        subprocess.run([lib.CLIENT, "unpin", "--instance", self.instance],
                       capture_output=True, check=False, timeout=10)
        # The file stays for the next of its name, and no other process has this one's.
        for path in glob.glob(f"/run/portunus/client-{self.instance}.*"):
            os.unlink(path)

    # Verbs

    def verb(self, name, *args, ok=True):
        """Runs a verb against this process; returns the finished lib.Process."""
        return self.t.run([lib.CLIENT, name, *map(str, args), "--instance", self.instance,
                           "--status-socket", self.socket], ns=self.ns, ok=ok)

    def json(self, name, *args):
        text = self.verb(name, *args, "--json").stdout()
        try:
            return json.loads(text)
        except ValueError:
            raise lib.Failure(f"{name} --json printed no JSON: {text[:300]}") from None

    def stats(self, rule_id=None):
        """The rule with that id (the listen port, unless given), or the only one."""
        rules = self.json("stats", "--per-target")["rules"]
        if rule_id is None:
            lib.equal(len(rules), 1, "rules in stats")
            return rules[0]
        found = [r for r in rules if r["rule_id"] == rule_id]
        lib.check(found, f"rule {rule_id} is not in stats: {[r['rule_id'] for r in rules]}")
        return found[0]

    def row(self, index, rule_id=None):
        """One target's row of a rule's stats."""
        rows = [r for r in self.stats(rule_id)["per_target"] if r["index"] == index]
        lib.check(rows, f"no target {index} in stats")
        return rows[0]

    def health(self, rule_id=None):
        """1 for each Healthy and 0 for each Failed target, by row; in the JSON it is the reverse."""
        return [1 - r["health"] for r in self.stats(rule_id)["per_target"]]

    def accepted(self, rule_id=None):
        """connections_accepted of each target, by row."""
        return [r["connections_accepted"] for r in self.stats(rule_id)["per_target"]]

    def closed(self, since=0, **fields):
        return self.p.found("connection.closed", since, **fields)


class Held:
    """One thread of the edge, stopped by a debugger's means until the end of the with; the others go on."""
    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, edge, name):
        tasks = f"/proc/{edge.p.pid}/task"
        names = {}
        for tid in os.listdir(tasks):
            try:
                with open(f"{tasks}/{tid}/comm", encoding="ascii") as f:
                    names[f.read().strip()] = int(tid)
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                pass
        lib.check(name in names, f"no thread {name}: {sorted(names)}")
        self.tid = names[name]

    def ptrace(self, request):
        if _libc.ptrace(request, self.tid, None, None) < 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x}: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        try:
            self.ptrace(self.SEIZE)
        except OSError as e:
            if e.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                raise lib.Skip(str(e)) from None
            raise
        self.ptrace(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)  # only a stopped one can be left
        return self

    def __exit__(self, *_):
        self.ptrace(self.DETACH)
