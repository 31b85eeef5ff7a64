"""What is compared. To add something, add an entry to CONTENDERS.

A server takes a port from the system, prints `listening on ADDRESS:PORT` when it is ready, and runs in the process that was
started (a wrapper script must `exec`): that process is what is pinned and measured. A client is given HOST, PORT and
MESSAGES; it exchanges a tenth of them, prints `ready`, waits for a line on standard input, exchanges MESSAGES messages of
64 bytes, one after the other, and prints `done` and the seconds that this took.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from .errors import NotHere
from .programs import BENCHMARKS, PEERS, Programs

Command = Callable[[Programs], list[str]]
MODES = ("echo", "discard", "chargen")
LISTEN = ["--host", "127.0.0.1", "--port", "0"]


@dataclass(frozen=True)
class Program:
    """One row of a table."""

    name: str
    label: str
    command: Command
    wakesWith: tuple[str, ...] = ("futex",)  # the calls that wake up another thread; an eventfd is written to
    load: tuple[str, ...] = ()  # flags of the load generator, for what it speaks


@dataclass(frozen=True)
class Contender:
    name: str  # what --only takes
    label: str  # what the tables show
    words: str = ""  # more of it, for a server of TCP
    tcp: Callable[[Programs, str], list[str]] | None = None  # given the mode
    tls: Callable[[Programs, str], list[str]] | None = None  # as tcp
    websocket: Command | None = None  # echoes, without compression
    udp: dict[str, Command] = field(default_factory=dict)  # a few words for the label, if there are several
    clients: dict[str, Command] = field(default_factory=dict)
    wakesWith: tuple[str, ...] = ("futex",)

    def servers(self, mode: str, isSecure: bool = False) -> list[Program]:
        server = self.tls if isSecure else self.tcp
        if server is None:
            return []
        label = f"{self.label} {self.words}".strip()
        return [Program(self.name, label, lambda programs: server(programs, mode), self.wakesWith)]

    def websocket_servers(self) -> list[Program]:
        if self.websocket is None:
            return []
        label = f"{self.label} {self.words}".strip()
        return [Program(self.name, label, self.websocket, self.wakesWith, load=("websocket",))]

    def datagram_servers(self) -> list[Program]:
        return self._several(self.udp)

    def ping_pong_clients(self) -> list[Program]:
        return self._several(self.clients)

    def _several(self, commands: dict[str, Command]) -> list[Program]:
        return [
            Program(f"{self.name} {words}".strip(), f"{self.label} {words}".strip(), command, self.wakesWith)
            for words, command in commands.items()
        ]


# -- The floor: every ratio is to this one

ONE_CALL, BATCHES = "recvfrom, sendto", "recvmmsg, sendmmsg"

FLOOR = Contender(
    "epoll",
    "C",
    "epoll",
    tcp=lambda programs, mode: [programs.bench("epoll-echo-server"), *LISTEN, "--mode", mode],
    tls=lambda programs, mode: [
        *[programs.bench_of_tls("epoll-tls-server"), *LISTEN, "--mode", mode],
        *programs.identity.options,
    ],
    udp={
        ONE_CALL: lambda programs: [programs.bench("datagram-loop"), "echo"],
        BATCHES: lambda programs: [programs.bench("datagram-loop"), "echo", "--batch", "64"],
    },
    clients={"blocking": lambda programs: [programs.bench("blocking-client")]},
)


# -- HarmonySocket


def ours(loops: int) -> list[Contender]:
    """The three styles; the servers with as many loops."""
    words = "" if loops == 1 else f"with {loops} loops"

    def style(name: str, clients: dict[str, str]) -> Contender:
        options = [*LISTEN, "--style", name, "--loops", str(loops)]
        return Contender(
            name,
            f"HarmonySocket {name}",
            words,
            tcp=lambda programs, mode: [programs.example("tcp-echo-server"), *options, "--mode", mode],
            tls=lambda programs, mode: [
                *[programs.example("tls-echo-server"), *options, "--mode", mode],
                *programs.identity.options,
            ],
            websocket=lambda programs: [programs.example("ws-echo-server"), *options, "--no-compression"],
            udp={"": lambda programs: [programs.example("udp-echo-server"), *options]},
            clients={
                where: lambda programs, path=path: [programs.bench("hot-paths"), path] for where, path in clients.items()
            },
            wakesWith=("futex", "write"),  # nothing else here writes
        )

    return [
        style("events", {"": "client-events"}),
        style("callback", {"": "client-callback"}),
        style("async", {"on a loop": "client-loop", "from the global pool": "client-pool"}),
    ]


# -- Others


def _swift_peer(
    name: str, label: str, product: str, style: str, hasDatagrams: bool, hasClient: bool = True, hasWebSockets: bool = True
) -> Contender:
    return Contender(
        name,
        label,
        tcp=lambda programs, mode: [programs.swift_peer(product), f"tcp-{style}", mode],
        websocket=(lambda programs: [programs.swift_peer(product), f"ws-{style}"]) if hasWebSockets else None,
        udp={"": lambda programs: [programs.swift_peer(product), f"udp-{style}"]} if hasDatagrams else {},
        clients={"": lambda programs: [programs.swift_peer(product), f"client-{style}"]} if hasClient else {},
    )


def _node(programs: Programs) -> list[str]:
    if shutil.which("node") is None:
        raise NotHere("node is not installed")
    return ["node", str(PEERS / "node" / "peer.js")]


BUILT = BENCHMARKS / ".build" / "peers"  # what other compilers make
DEBIAN_CRATES = Path("/usr/share/cargo/registry")


def _go(programs: Programs) -> list[str]:
    output = BUILT / "go-peer"
    return [programs.made("Go", PEERS / "go", "go", ["go", "build", "-o", str(output), "peer.go"], output)]


def _libuv(programs: Programs) -> list[str]:
    output = BUILT / "libuv-peer"
    command = ["cc", "-O2", "-std=gnu11", "-o", str(output), "peer.c", "-luv"]
    return [programs.made("libuv", PEERS / "libuv", "cc", command, output)]


def _tokio(programs: Programs) -> list[str]:
    folder = BUILT / "tokio"
    command = ["cargo", "build", "--release", "--target-dir", str(folder)]
    if DEBIAN_CRATES.exists():  # of the package librust-tokio-dev
        command += ["--offline", "--config", 'source.crates-io.replace-with="debian"']
        command += ["--config", f'source.debian.directory="{DEBIAN_CRATES}"']
    return [programs.made("tokio", PEERS / "tokio", "cargo", command, folder / "release" / "tokio-peer")]


def _node_websocket(programs: Programs) -> list[str]:
    command = _node(programs)
    # Where Debian's node-ws is, which a node from elsewhere does not look at.
    modules = ["env", f"NODE_PATH={os.environ.get('NODE_PATH', '')}:/usr/share/nodejs"]
    if subprocess.run([*modules, "node", "-e", 'require("ws")'], stderr=subprocess.DEVNULL).returncode != 0:
        raise NotHere("node has no ws (Debian: node-ws)")
    return [*modules, *command, "ws"]


def _plain(
    name: str, label: str, program: Callable[[Programs], list[str]], websocket: Command | None = None
) -> Contender:
    return Contender(
        name,
        label,
        tcp=lambda programs, mode: [*program(programs), "tcp", mode],
        websocket=websocket,
        udp={"": lambda programs: [*program(programs), "udp"]},
        clients={"": lambda programs: [*program(programs), "client"]},
    )


OTHERS = [
    _swift_peer("nio", "SwiftNIO handlers", "nio-peer", "handlers", hasDatagrams=True),
    _swift_peer("nio-async", "SwiftNIO NIOAsyncChannel", "nio-peer", "async", hasDatagrams=True, hasWebSockets=False),
    # A datagram cannot be answered with it on Linux: replying to the address it came from ends the process.
    _swift_peer("flying", "FlyingSocks", "flying-peer", "async", hasDatagrams=False),
    _plain("libuv", "libuv", _libuv),
    _plain("tokio", "tokio", _tokio),
    _plain("go", "Go", _go),
    _plain("node", "Node", _node, _node_websocket),
]


def contenders(loops: int = 1) -> list[Contender]:
    return [FLOOR, *ours(loops), *OTHERS]
