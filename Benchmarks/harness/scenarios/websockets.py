"""WebSockets: echoes beside our own of TCP, connections that are silent, and the mask."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace

from ..contenders import Contender, Program
from ..errors import BenchmarkError
from ..report import Report
from .bench import Bench, sentence
from .idle import IdleMemory
from .streams import Echo

PLAIN = "tcp"  # the row that the ratios are to


class WebSocketEcho(Echo):
    """Masked binary messages, without compression. A row beside them is our own echo of as many bytes over TCP."""

    over = "WebSockets: "

    def programs(self, contender: Contender) -> list[Program]:
        rows = contender.websocket_servers()
        if contender.name == "events":
            rows = [replace(each, name=PLAIN, label=f"{each.label}, TCP") for each in contender.servers("echo")] + rows
        return rows

    @property
    def floors(self) -> list[tuple[str, str]]:
        return [("TCP", PLAIN)]


class IdleWebSockets(IdleMemory):
    @property
    def summary(self) -> str:
        return f"memory of {self.connections:,} idle WebSockets that echoed once"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.websocket_servers()


@dataclass(frozen=True)
class Masking:
    """The step alone, in a process of its own."""

    name: str = "ws-mask"
    isSecure: bool = False
    summary = "masking of 1 MiB"

    def programs(self, contender: Contender) -> list[Program]:
        if contender.name != "events":
            return []
        return [Program(contender.name, "HarmonySocket", lambda programs: [programs.bench("mask")])]

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(self.name, sentence(self.summary), "The best of ten.", ["", "copied GB/s", "in place GB/s"])

        def measure(row: Program) -> str:
            def pin() -> None:
                os.sched_setaffinity(0, bench.server_cores)

            command = row.command(bench.programs)
            found = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
            if found.returncode != 0:
                raise BenchmarkError(f"it ended with status {found.returncode}")
            copied, inPlace = map(float, found.stdout.split())
            report.rows.append([row.label, f"{copied:.1f}", f"{inPlace:.1f}"])
            report.data = {"copied": copied, "in_place": inPlace}
            return f"{copied:.1f} GB/s, {inPlace:.1f} GB/s in place"

        bench.each(self.name, rows, report, measure)
        return report
