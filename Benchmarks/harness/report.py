"""How a scenario's outcome is written down."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import counters


@dataclass
class Report:
    scenario: str
    title: str
    note: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)  # server label: reason
    data: dict = field(default_factory=dict)  # everything measured, for --json

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.note, ""]
        if self.rows:
            lines += [*table(self.header, self.rows), ""]
        if self.failures:
            lines += [*(f"- {label} **failed**: {reason}" for label, reason in self.failures.items()), ""]
        return "\n".join(lines)

    def json(self) -> dict:
        return {"scenario": self.scenario, "title": self.title, "failures": self.failures, **self.data}


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table that can be read as it is: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(cells: list[str]) -> str:
        first, *rest = cells
        padded = [first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(rest, widths[1:])]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return [line(header), rule, *map(line, rows)]


def machine() -> dict[str, str]:
    """What a figure means nothing without."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    try:
        swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        swift = "Swift: not found"
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{processor}, {os.cpu_count()} cores",
        "swift": swift,
        "cpu time": counters.CPU_SOURCE,
    }
