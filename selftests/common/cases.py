# SPDX-License-Identifier: MIT
"""What every suite's cases share: expectations that say both sides, and a plain runner.

selftests/net has a runner of its own on top of the expectations, since its cases hold namespaces.
"""
import os
import random
import socket
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PORTUNUS_BUILD", os.path.join(ROOT, "build"))
# How much longer than usual to wait for what has to come: a build with a sanitizer is several times slower.
# What stands for "in time" or "not yet" is measured by the test itself, and is the same for all builds.
PATIENCE = float(os.environ.get("PORTUNUS_TEST_PATIENCE", "1"))

cases = []


class Failure(AssertionError):
    """What was expected did not happen; the text says both."""


class Skip(Exception):
    """The machine lacks what the case needs; the text says what."""


def case(function):
    cases.append(function)
    return function


def check(condition, why):
    if not condition:
        raise Failure(why)


def equal(got, want, what="value"):
    check(got == want, f"{what}: {got!r}, expected {want!r}")


def true(value, what="condition"):
    check(value, f"{what} does not hold: {value!r}")


def until(condition, what="condition", seconds=10, every=0.02):
    """Calls condition() until it returns something true, which is returned."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:g} s for {what() if callable(what) else what}")
        time.sleep(every)


def free_port():
    """A port of this machine that nobody has: of none that the kernel gives to whoever asks for any (ip(7),
    ip_local_port_range), so that nobody gets it by accident before it is bound, or while its owner is away."""
    for port in random.sample(range(23000, 32768), 1000):
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("0.0.0.0", port))
            return port
        except OSError:
            pass
    raise Failure("no port is free")


def run(*args):
    """Runs the cases, those named on the command line or all, with @args; prints a line each and the sum."""
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    only = sys.argv[1:]
    for f in cases:
        if only and not any(o in f.__name__ for o in only):
            continue
        verdict, why = "ok", ""
        try:
            f(*args)
        except Skip as e:
            verdict, why = "skip", f": {e}"
        except Exception as e:  # a case must not take the others with it
            verdict, why = "not ok", f": {e}"
            if not isinstance(e, AssertionError):
                why = f": {type(e).__name__}: {e}"
                traceback.print_exc(file=sys.stdout)
        counts[verdict] += 1
        print(f"{verdict} {sum(counts.values())} {f.__name__.replace('_', ' ')}{why}", flush=True)
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skip']} skipped")
    sys.exit(1 if counts["not ok"] else 0)
