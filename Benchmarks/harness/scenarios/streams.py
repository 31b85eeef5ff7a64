"""TCP servers under load."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from ..contenders import Contender, Program
from .bench import Bench
from .rounds import Rounds, Traffic, Unit


@dataclass(frozen=True)
class Served(Rounds):
    """A server, and the load generator on the other core."""

    connections: int
    size: int = 64
    depth: int = 1
    isSecure: bool = False

    scenario = "echo"  # of the load generator
    mode = "echo"  # of the server
    options: ClassVar[dict[str, object]] = {}  # more of them, of the load generator
    # Whether the load generator stays awake. Asleep it would be woken up by the server, and by a slow one more often.
    spins: ClassVar[bool] = True

    @property
    def over(self) -> str:
        return "TLS 1.3, AES-128-GCM: " if self.isSecure else ""

    def programs(self, contender: Contender) -> list[Program]:
        return contender.servers(self.mode, self.isSecure)

    @contextmanager
    def prepare(self, bench: Bench, row: Program, **limits: object):
        options = {"connections": self.connections, "size": self.size, "depth": self.depth, "gate": True, **limits}
        if self.spins and bench.server_cores.isdisjoint(bench.load_cores):
            options["spin"] = True
        with bench.start(row) as target, bench.load(
            self.scenario, target, self.isSecure, **options, **self.options, **dict.fromkeys(row.load, True)
        ) as load:
            load.wait_until_ready()

            def run() -> dict:
                load.write_line()
                return load.result(timeout=limits["seconds"] + 60)

            yield Traffic(target.pid, run)
            load.finish()


class Echo(Served):
    @property
    def summary(self) -> str:
        depth = f", {self.depth} messages under way on each" if self.depth > 1 else ""
        return f"{self.over}echo of {self.size:,} bytes over {self.connections:,} connections{depth}"


class Connect(Served):
    scenario = "connect"
    unit = Unit("µs", "connection", 1e3, "connections/s")

    @property
    def summary(self) -> str:
        return f"connect, echo of {self.size} bytes, close; {self.connections} connections at a time"


class Handshakes(Connect):
    """Of TLS."""

    @property
    def summary(self) -> str:
        return f"{self.over}connect, full handshake, echo of {self.size} bytes, close; {self.connections} at a time"


class Resumptions(Handshakes):
    options = {"resume": True}

    @property
    def summary(self) -> str:
        return f"{self.over}the same with handshakes that resume a session"


MESSAGE_OF_BULK = 64 * 1024


class Bulk(Served):
    unit = Unit("s", "GB", 1e9, "GB/s")
    spins = False  # it would cut the stream into smaller pieces

    def work(self, result: dict) -> float:
        return result["bytes"] / 1e9

    def messages(self, result: dict) -> float:
        return result["bytes"] / MESSAGE_OF_BULK


class Upload(Bulk):
    scenario, mode = "upload", "discard"

    @property
    def summary(self) -> str:
        return f"{self.over}upload over {self.connections} connections, {self.size // 1024} KiB a write; calls and switches per 64 KiB"


class Download(Bulk):
    scenario, mode = "download", "chargen"

    @property
    def summary(self) -> str:
        return f"{self.over}download over {self.connections} connections, 62 KiB a write; calls and switches per 64 KiB"
