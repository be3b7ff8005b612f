# SPDX-License-Identifier: MIT
"""A program on a pseudo-terminal, and what stands on its screen."""
import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time

import lib

CSI = re.compile(r"\x1b\[([?>]?)([0-9;]*)([@-~])")
OTHER = re.compile(r"\x1b(?:[()][0-9A-Za-z]|[=>78MDEc])")


class Screen:
    """As much of a terminal as curses uses with TERM=xterm: text, movements, erasing, repeating."""

    def __init__(self, rows, columns):
        self.size(rows, columns)
        self.rest = ""

    def size(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.y = self.x = 0
        self.last = " "

    def lines(self):
        return ["".join(r).rstrip() for r in self.cells]

    def _put(self, c):
        if self.x >= self.columns:
            self.x, self.y = 0, min(self.y + 1, self.rows - 1)
        self.cells[self.y][self.x] = self.last = c
        self.x += 1

    def _erase(self, y, first, last):
        for x in range(max(first, 0), min(last, self.columns)):
            self.cells[y][x] = " "

    def _csi(self, text, command):
        n = [int(x or 0) for x in text.split(";")] if text else []
        one = max(n[0], 1) if n else 1
        how = n[0] if n else 0
        if command in "Hf":
            self.y, self.x = one - 1, (max(n[1], 1) if len(n) > 1 else 1) - 1
        elif command == "d":
            self.y = one - 1
        elif command == "G":
            self.x = one - 1
        elif command in "ABCD":
            dy, dx = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[command]
            self.y, self.x = self.y + dy * one, self.x + dx * one
        elif command == "K":
            self._erase(self.y, 0 if how else self.x, self.x + 1 if how == 1 else self.columns)
        elif command == "J":
            for y in range(0 if how else self.y + 1, self.rows):
                self._erase(y, 0, self.columns)
            if not how:
                self._erase(self.y, self.x, self.columns)
        elif command == "X":
            self._erase(self.y, self.x, self.x + one)
        elif command == "P":
            row = self.cells[self.y]
            self.cells[self.y] = row[:self.x] + row[self.x + one:] + [" "] * min(one, self.columns - self.x)
        elif command == "@":
            row = self.cells[self.y]
            self.cells[self.y] = (row[:self.x] + [" "] * one + row[self.x:])[:self.columns]
        elif command in "LM":
            for _ in range(one):
                if command == "L":
                    self.cells.insert(self.y, [" "] * self.columns)
                    self.cells.pop()
                else:
                    self.cells.pop(self.y)
                    self.cells.append([" "] * self.columns)
        elif command == "b":
            for _ in range(one):
                self._put(self.last)
        self.y = max(0, min(self.y, self.rows - 1))
        self.x = max(0, min(self.x, self.columns))

    def feed(self, text):
        text, i = self.rest + text, 0
        self.rest = ""
        while i < len(text):
            c = text[i]
            if c != "\x1b":
                if c == "\r":
                    self.x = 0
                elif c == "\n":
                    self.y = min(self.y + 1, self.rows - 1)
                elif c == "\b":
                    self.x = max(self.x - 1, 0)
                elif c >= " ":
                    self._put(c)
                i += 1
                continue
            m = CSI.match(text, i) or OTHER.match(text, i)
            if not m:
                if len(text) - i < 32:  # the rest is on its way
                    self.rest = text[i:]
                    return
                i += 1
                continue
            if m.re is CSI and not m.group(1):
                self._csi(m.group(2), m.group(3))
            i = m.end()


class Terminal:
    """The program argv on a terminal of its own."""

    def __init__(self, t, argv, ns=None, rows=24, columns=80):
        enter = ["nsenter", f"--net=/run/netns/{ns.name}", "--"] if ns else []
        self.argv = [*enter, *map(str, argv)]
        self.screen = Screen(rows, columns)
        self.raw = ""
        self.lock = threading.Lock()
        self.master, self.slave = pty.openpty()  # our end of the slave stays, so that its settings can be read
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            os.execvpe(self.argv[0], self.argv, {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        self.status = None
        threading.Thread(target=self._read, daemon=True).start()
        t.defer(self.close)

    def _read(self):
        decode = __import__("codecs").getincrementaldecoder("utf-8")("replace").decode
        while True:
            try:
                got = os.read(self.master, 65536)
            except OSError:
                return
            with self.lock:
                text = decode(got)
                self.raw += text
                self.screen.feed(text)

    def text(self):
        with self.lock:
            return "\n".join(self.screen.lines())

    def expect(self, pattern, seconds=10):
        lib.until(lambda: re.search(pattern, self.text()), lambda: f"/{pattern}/ on the screen:\n{self.text()}",
                  seconds)
        return re.search(pattern, self.text())

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, rows, columns, tell=True):
        with self.lock:
            self.screen.size(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            os.kill(self.pid, signal.SIGWINCH)

    def wait(self, seconds=5):
        """The exit status; the terminal has to be as it was."""
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            lib.check(time.monotonic() < end, f"it still runs:\n{self.text()}")
            time.sleep(0.02)
        lib.equal(termios.tcgetattr(self.slave), self.before, "settings of the terminal")
        lib.until(lambda: "\x1b[?1049l" in self.raw[-200:], lambda: f"the screen was not left: {self.raw[-200:]!r}")
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.slave)
        os.close(self.master)
