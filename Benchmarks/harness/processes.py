"""Programs under control: pinned to a core, spoken to line by line, always stopped."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .errors import BenchmarkError

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_PTRACER = 0x59616D61
_PR_SET_PTRACER_ANY = ctypes.c_ulong(-1)

START_TIMEOUT = 30
STOP_TIMEOUT = 5


class Program:
    """A child process with pipes on standard input and output. Use it in a `with` statement: leaving it stops it.

    Standard input stays open while it runs, because a server may take the end of it as a request to stop. With
    `explains`, what it prints on standard error becomes the reason of a failure instead of going to the terminal.
    """

    def __init__(self, name: str, command: list[str], cores: set[int] | None = None, explains: bool = False):
        def prepare() -> None:  # in the child, before the program starts
            if cores:
                os.sched_setaffinity(0, cores)
            # Not to outlive a runner that was killed outright; and to let strace attach where only parents may.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _libc.prctl(_PR_SET_PTRACER, _PR_SET_PTRACER_ANY, 0, 0, 0)

        self.name = name
        self._unread = b""
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if explains else None,
                preexec_fn=prepare,
            )
        except OSError as error:
            raise BenchmarkError(f"{name} {command[0]} cannot be started: {error.strerror}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_line(self, timeout: float) -> str:
        self._unread = self._read_until(b"\n", self._process.stdout, self._unread, timeout)
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace")

    def _read_until(self, wanted: bytes, stream, said: bytes, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while wanted not in said:
            if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
                raise BenchmarkError(f"{self.name} said nothing for {timeout:g} s")
            chunk = os.read(stream.fileno(), 4096)
            if not chunk:
                raise BenchmarkError(self._how_it_ended(said if stream is self._process.stderr else b""))
            said += chunk
        return said

    def wait_until_ready(self, timeout: float = 60) -> None:
        if (line := self.read_line(timeout)) != "ready":
            raise BenchmarkError(f"{self.name} said '{line}' instead of 'ready'")

    def write_line(self) -> None:
        self._process.stdin.write(b"\n")

    def require_running(self) -> None:
        if self._process.poll() is not None:
            raise BenchmarkError(self._how_it_ended())

    def _how_it_ended(self, said: bytes = b"") -> str:
        try:
            status = self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            return f"{self.name} closed its standard output"
        if self._process.stderr is not None:
            said += self._process.stderr.read()
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        why = " ".join(said.decode(errors="replace").split())
        return f"{self.name} ended {how}" + (f": {why}" if why else "")

    def wait_for_end(self, timeout: float = START_TIMEOUT) -> None:
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{self.name} did not end within {timeout:g} s") from None

    def finish(self) -> None:
        """Ends its standard input and requires that it ends by itself, with success."""
        self._process.stdin.close()
        self.wait_for_end()
        if self._process.returncode != 0:
            raise BenchmarkError(self._how_it_ended())

    def stop(self) -> None:
        try:
            if self._process.poll() is None:
                self._process.terminate()
                self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()


class RunningServer(Program):
    """A server that prints `listening on ADDRESS:PORT` when it is ready."""

    def __init__(self, command: list[str], cores: set[int] | None = None):
        super().__init__("server", command, cores)
        try:
            line = self.read_line(START_TIMEOUT)
            address, _, port = line.removeprefix("listening on ").rpartition(":")
            if not line.startswith("listening on ") or not port.isdigit():
                raise BenchmarkError(f"server said '{line}' instead of 'listening on ADDRESS:PORT'")
        except BaseException:
            self.stop()
            raise
        self.host, self.port = address.strip("[]"), int(port)


class Load(Program):
    """A load generator on its way through one scenario."""

    def __init__(self, program: str, cores: set[int] | None, scenario: str, server: RunningServer, **options: object):
        command = [program, scenario, "--host", server.host, "--port", str(server.port)]
        for option, value in options.items():
            command += [f"--{option}"] if value is True else [f"--{option}", str(value)]
        self._server = server
        super().__init__("load generator", command, cores, explains=True)

    def read_line(self, timeout: float) -> str:
        try:
            return super().read_line(timeout)
        except BenchmarkError:
            self._server.require_running()  # if the server broke, that is the news
            raise

    def result(self, timeout: float) -> dict:
        return json.loads(self.read_line(timeout))


class SystemCallCount(Program):
    """`strace -c -f` on a running process: counts the calls between `with` and its end, by name."""

    def __init__(self, pid: int):
        self.calls: dict[str, int] = {}
        self._summary = tempfile.NamedTemporaryFile("r", prefix="system-calls-")
        super().__init__("strace", ["strace", "-c", "-f", "-o", self._summary.name, "-p", str(pid)], explains=True)

    def __enter__(self):
        try:
            self._read_until(b" attached", self._process.stderr, b"", START_TIMEOUT)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: object, *_) -> None:
        with self._summary:
            try:
                if kind is None:
                    # Interrupted, strace lets the process go on and writes its summary.
                    self._process.send_signal(signal.SIGINT)
                    self.wait_for_end()
                    self.calls = parse_calls(self._summary.read())
            finally:
                self.stop()


def parse_calls(summary: str) -> dict[str, int]:
    """What strace -c writes. Rows are: % time, seconds, usecs/call, calls, errors if any, name."""
    calls = {}
    for row in (line.split() for line in summary.splitlines()):
        if len(row) >= 5 and row[3].isdigit() and row[-1] != "total":
            calls[row[-1]] = int(row[3])
    return calls
