"""What the kernel counts for a process, read from /proc.

Counters belong to threads, so they are read for every thread and summed. A thread that ends between two samples
takes its share with it; no server here ends threads while it is measured.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable


def _per_thread(pid: int, read: Callable[[Path], int]) -> dict[int, int]:
    values = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            values[int(task.name)] = read(task)
        except (FileNotFoundError, ProcessLookupError):
            pass  # the thread ended while it was read
    return values


def _status(task: Path) -> dict[str, int]:
    """The lines of `status` that hold one number; of memory, in KiB."""
    lines = re.findall(r"^(\w+):\s+(\d+)(?: kB)?$", (task / "status").read_text(), re.MULTILINE)
    return {name: int(value) for name, value in lines}


# -- CPU time


def _scheduler_nanoseconds(task: Path) -> int:
    """Time on a processor, exact: the scheduler adds to it whenever the thread is switched out."""
    return int((task / "schedstat").read_text().split()[0])


def _accounted_nanoseconds(task: Path) -> int:
    """User and system time from `stat`, in clock ticks of usually 10 ms."""
    fields = (task / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def _has_scheduler_statistics() -> bool:
    try:
        return _scheduler_nanoseconds(Path("/proc/self")) > 0
    except (OSError, IndexError, ValueError):
        return False


if _has_scheduler_statistics():
    CPU_SOURCE, _cpu_nanoseconds = "/proc/PID/task/*/schedstat, nanoseconds", _scheduler_nanoseconds
else:
    CPU_SOURCE, _cpu_nanoseconds = "/proc/PID/task/*/stat, clock ticks", _accounted_nanoseconds


def cpu_nanoseconds(pid: int) -> dict[int, int]:
    return _per_thread(pid, _cpu_nanoseconds)


# -- Context switches


def _switches(task: Path) -> int:
    status = _status(task)
    return status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]


def context_switches(pid: int) -> dict[int, int]:
    """Voluntary and involuntary switches: a thread that sleeps through the interval adds none."""
    return _per_thread(pid, _switches)


# -- Both, over a time


@dataclass(frozen=True)
class Used:
    cpu: int  # nanoseconds
    switches: int
    threads: int
    busiest_share: float  # of the CPU time, that of the thread with the most


class Meter:
    """What a process uses from now on."""

    def __init__(self, pid: int):
        self._pid = pid
        # The switches first, and at the end last: reading takes a while, and the exact one is to have no part in it.
        self._switches, self._cpu = context_switches(pid), cpu_nanoseconds(pid)

    def growth(self) -> Used:
        cpu = _growth(self._cpu, cpu_nanoseconds(self._pid))
        switches = _growth(self._switches, context_switches(self._pid))
        total = sum(cpu.values())
        return Used(total, sum(switches.values()), len(cpu), max(cpu.values(), default=0) / max(1, total))


def _growth(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """A thread that is new in `after` began at zero."""
    return {thread: value - before.get(thread, 0) for thread, value in after.items()}


# -- Memory


def resident_bytes(pid: int) -> tuple[int, int]:
    """VmRSS, and RssAnon, the part of it that is neither program text nor a mapped file."""
    status = _status(Path(f"/proc/{pid}"))
    return status["VmRSS"] * 1024, status["RssAnon"] * 1024
