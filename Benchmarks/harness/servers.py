"""The servers that are compared. To add one of TCP, add an entry to SERVERS.

A server speaks TCP echo, takes a port from the system, prints `listening on ADDRESS:PORT` when it is ready, and runs
in the process that was started (a wrapper script must `exec`): that process is what is pinned and measured.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .errors import BenchmarkError
from .processes import RunningServer

BENCHMARKS = Path(__file__).resolve().parent.parent
LIBRARY = BENCHMARKS.parent

LISTEN = ["--host", "127.0.0.1", "--port", "0"]


class Programs:
    """Finds the programs, building each package once, when something of it is first wanted."""

    def __init__(self, build: bool, ours: Path | None):
        self._build = build
        self._ours = ours
        self._folders: dict[tuple[Path, str | None], Path] = {}

    @property
    def load_generator(self) -> Path:
        return self._folder(BENCHMARKS) / "load-generator"

    @property
    def epoll_echo_server(self) -> Path:
        return self._folder(BENCHMARKS) / "epoll-echo-server"

    @property
    def datagram_load(self) -> Path:
        return self._folder(BENCHMARKS) / "datagram-load"

    @property
    def datagram_loop(self) -> Path:
        return self._folder(BENCHMARKS) / "datagram-loop"

    @property
    def udp_echo_server(self) -> Path:
        return self._folder(LIBRARY, "udp-echo-server") / "udp-echo-server"

    @property
    def udp_meter(self) -> Path:
        return self._folder(LIBRARY, "udp-meter") / "udp-meter"

    @property
    def tcp_echo_server(self) -> Path:
        return self._ours or self._folder(LIBRARY, "tcp-echo-server") / "tcp-echo-server"

    def _folder(self, package: Path, product: str | None = None) -> Path:
        if (package, product) not in self._folders:
            command = ["swift", "build", "-c", "release", "--package-path", str(package)]
            if self._build:
                self._swift(command + (["--product", product] if product else []), stdout=sys.stderr)
            shown = self._swift(command + ["--show-bin-path"], stdout=subprocess.PIPE)
            self._folders[package, product] = Path(shown.strip())
        return self._folders[package, product]

    @staticmethod
    def _swift(command: list[str], stdout) -> str:
        try:
            return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=stdout, text=True).stdout
        except FileNotFoundError:
            raise BenchmarkError("swift is not installed, or not on the search path") from None
        except subprocess.CalledProcessError:
            raise BenchmarkError(f"this failed: {shlex.join(command)}") from None


@dataclass(frozen=True)
class Server:
    name: str  # what --only takes
    label: str  # what the tables show
    command: Callable[[Programs], list[str]]

    def start(self, programs: Programs, core: int | None) -> RunningServer:
        return RunningServer(self.command(programs), core)


def _ours(style: str) -> Server:
    return Server(
        style,
        f"HarmonySocket {style}",
        lambda programs: [str(programs.tcp_echo_server), *LISTEN, "--style", style, "--loops", "1"],
    )


# Every ratio is to this one.
FLOOR = Server("epoll", "C epoll", lambda programs: [str(programs.epoll_echo_server), *LISTEN])

SERVERS = [FLOOR, _ours("events"), _ours("callback"), _ours("async")]


# -- Datagrams: the same styles, and two floors

ONE_CALL = Server(
    "one-call", "C recvfrom, sendto", lambda programs: [str(programs.datagram_loop), "echo", "--host", "127.0.0.1"]
)
BATCHES = Server(
    "batches", "C recvmmsg, sendmmsg", lambda programs: [str(programs.datagram_loop), "echo", "--batch", "64"]
)


def datagram_servers(chosen: list[Server]) -> list[Server]:
    """The floors, and ours in those of its styles that were chosen."""

    def ours(style: str) -> Server:
        return Server(
            style,
            f"HarmonySocket {style}",
            lambda programs: [str(programs.udp_echo_server), *LISTEN, "--style", style],
        )

    return [ONE_CALL, BATCHES] + [ours(server.name) for server in chosen if server.name != FLOOR.name]
