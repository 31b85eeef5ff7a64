"""Servers that have nothing to do."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from .. import counters
from ..contenders import Contender, Program
from ..errors import BenchmarkError
from ..processes import RunningServer
from ..report import Report
from .bench import Bench, sentence


@dataclass(frozen=True)
class IdleMemory:
    """What a silent connection costs, once it has been used."""

    name: str = "idle-memory"
    connections: int = 10_000
    isSecure: bool = False
    settle: float = 0.5

    @property
    def summary(self) -> str:
        kind = "idle TLS connections" if self.isSecure else "idle connections"
        return f"memory of {self.connections:,} {kind} that echoed once"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.servers("echo", self.isSecure)

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(
            self.name,
            sentence(self.summary),
            "(VmRSS with the connections open − VmRSS before the first) ÷ connections, so what the first use of the"
            " server's code brings into memory counts too; anonymous is the part that is neither program text nor a"
            " mapped file. Kernel memory is not in it.",
            ["server", "bytes/connection", "anonymous", "before MiB", "after MiB"],
        )
        found: dict[str, dict] = {}

        def measure(row: Program) -> str:
            with bench.start(row) as target:
                time.sleep(self.settle)
                before, anonymous_before = counters.resident_bytes(target.pid)
                with bench.load(
                    "idle", target, self.isSecure, connections=self.connections, **dict.fromkeys(row.load, True)
                ) as load:
                    load.wait_until_ready()
                    time.sleep(self.settle)
                    after, anonymous_after = counters.resident_bytes(target.pid)
                    load.finish()
            each = (after - before) / self.connections
            anonymous = (anonymous_after - anonymous_before) / self.connections
            found[row.name] = {
                "label": row.label,
                "bytes_per_connection": each,
                "anonymous_bytes_per_connection": anonymous,
                "resident_before": before,
                "resident_after": after,
            }
            report.rows.append(
                [row.label, f"{each:,.0f}", f"{anonymous:,.0f}", f"{before / 2**20:.1f}", f"{after / 2**20:.1f}"]
            )
            return f"{each:,.0f} bytes a connection"

        bench.each(self.name, rows, report, measure)
        report.data = {"connections": self.connections, "rows": found}
        return report


@dataclass(frozen=True)
class IdleWakeups:
    """A server that nobody talks to should not run at all."""

    name: str = "idle-wakeups"
    settle: float = 2
    isSecure = False

    summary = "wake-ups of a fresh server that nobody talks to"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.servers("echo")

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(
            self.name,
            sentence(self.summary),
            f"Context switches, voluntary and not, of all threads in {bench.idle_seconds:g} s.",
            ["server", "switches", "threads"],
        )
        with ExitStack() as running:
            targets: dict[Program, RunningServer] = {}

            def start(row: Program) -> str:
                targets[row] = running.enter_context(bench.start(row))
                return "started"

            # All at once: sleeping servers do not disturb each other.
            bench.each(self.name, rows, report, start)
            time.sleep(self.settle)
            meters = {row: counters.Meter(target.pid) for row, target in targets.items()}
            time.sleep(bench.idle_seconds)
            found = {}
            for row, target in targets.items():
                try:
                    target.require_running()
                except BenchmarkError as error:
                    report.failures[row.label] = str(error)
                    continue
                used = meters[row].growth()
                found[row.name] = {"label": row.label, "switches": used.switches, "threads": used.threads}
                report.rows.append([row.label, str(used.switches), str(used.threads)])
                bench.progress(f"{self.name}  {row.label:34}  {used.switches} in {bench.idle_seconds:g} s")
        report.data = {"seconds": bench.idle_seconds, "rows": found}
        return report
