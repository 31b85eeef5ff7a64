"""Which system calls a message costs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from ..contenders import Contender, Program
from ..report import Report
from .bench import NOT_MEASURED, Bench, sentence
from .streams import Echo

RARE = 0.001


@dataclass(frozen=True)
class SystemCalls:
    """By name. A futex call for each message would mean that it changes threads, and so would a write: that is how a
    loop of ours is woken up by another thread. Nothing else here writes."""

    name: str = "system-calls"
    connections: int = 64
    isSecure = False

    @property
    def summary(self) -> str:
        return f"system calls per message by name, 64 bytes over {self.connections:,} connections, under strace"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.servers("echo")

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(
            self.name,
            sentence(self.summary),
            f"Counted over {bench.counted:,} messages of connections in use; {NOT_MEASURED} means not once, and what none"
            f" makes for {RARE:g} of the messages is left out.",
            ["call"],
        )
        if shutil.which("strace") is None:
            report.note = "Skipped: strace is not installed."
            bench.progress(f"{self.name}  skipped: strace is not installed")
            return report
        found: dict[str, dict[str, float]] = {}
        echo = Echo(self.name, connections=self.connections)

        def measure(row: Program) -> str:
            calls = echo.count_calls(bench, row)
            found[row.name] = dict(sorted(calls.items(), key=lambda each: -each[1]))
            return "  ".join(f"{call} {count:.3f}" for call, count in found[row.name].items())

        bench.each(self.name, rows, report, measure)
        counted = [row for row in rows if row.name in found]
        report.header += [row.label for row in counted]
        most = {call: max(calls.get(call, 0) for calls in found.values()) for calls in found.values() for call in calls}
        for call in sorted((call for call in most if most[call] >= RARE), key=lambda call: -most[call]):
            columns = [found[row.name].get(call) for row in counted]
            report.rows.append([call, *(NOT_MEASURED if count is None else f"{count:.4f}" for count in columns)])
        report.rows.append(["all", *(f"{sum(found[row.name].values()):.4f}" for row in counted)])
        report.data = {
            "connections": self.connections,
            "rows": {row.name: {"label": row.label, "calls": found[row.name]} for row in counted},
        }
        return report
