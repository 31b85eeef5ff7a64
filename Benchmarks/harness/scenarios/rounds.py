"""CPU time that a unit of work costs, in rounds: everything once in each, so that a machine whose speed drifts slows all
down alike, and the ratio within a round stays true."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Callable

from .. import counters
from ..contenders import FLOOR, Contender, Program
from ..errors import BenchmarkError
from ..processes import SystemCallCount
from ..report import Report
from .bench import NOT_MEASURED, Bench, sentence


@dataclass(frozen=True)
class Unit:
    """What the cost is of, and how it is written."""

    cost: str  # the unit of cost
    of: str  # of one of these
    nanoseconds: float  # of CPU time, that make one unit of cost
    rate: str


MICROSECONDS = Unit("µs", "message", 1e3, "messages/s")


class Traffic:
    """A process that is to be measured, `pid`, and work for it that begins with `run`, when both sides sleep."""

    def __init__(self, pid: int, run: Callable[[], dict]):
        self.pid, self.run = pid, run


@dataclass(frozen=True)
class Rounds:
    """The base of scenarios of this kind. One that inherits from it says what the work is."""

    name: str
    unit = MICROSECONDS
    isSecure = False

    @property
    def summary(self) -> str:
        raise NotImplementedError

    def programs(self, contender: Contender) -> list[Program]:
        raise NotImplementedError

    def prepare(self, bench: Bench, row: Program, **limits: object) -> AbstractContextManager[Traffic]:
        """Everything started and warmed up. `limits` are the load's options: `seconds`, `warmup`, and `messages` if few."""
        raise NotImplementedError

    def work(self, result: dict) -> float:
        """How many units the result of the traffic stands for."""
        return result["messages"]

    def messages(self, result: dict) -> float:
        """What calls and switches are counted per."""
        return result["messages"]

    @property
    def floors(self) -> list[tuple[str, str]]:
        """What the ratios are to: a word for the columns, and the name of the row."""
        return [("C", FLOOR.name)]

    # -- The rounds

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(
            self.name,
            sentence(self.summary),
            f"CPU time per {self.unit.of}, {bench.rounds} rounds of {bench.seconds:g} s.",
            ["", f"best {self.unit.cost}", f"median {self.unit.cost}", "spread"]
            + [f"{how} ÷ {title}" for title, _ in self.floors for how in ("best", "paired")]
            + ["calls", "switches"]
            + (["wake-ups", "busiest"] if bench.showsThreads else [])
            + [self.unit.rate, "p50 µs"],
        )
        if bench.showsThreads:
            report.note += (
                " wake-ups: system calls that wake up another thread, per message;"
                " busiest: the share of CPU time that the busiest thread had."
            )
        samples: dict[str, list[dict]] = {row.name: [] for row in rows}
        for round in range(bench.rounds):

            def measure(row: Program) -> str:
                sample = self._sample(bench, row)
                samples[row.name].append({"round": round, **sample})
                return f"{sample['cost']:7.3f} {self.unit.cost} a {self.unit.of}  {sample['rate']:11,.1f} {self.unit.rate}"

            # Each round begins with another one, so that none always follows the same.
            turn = round % max(1, len(rows))
            order = [row for row in rows[turn:] + rows[:turn] if row.label not in report.failures]
            bench.each(f"{self.name}  round {round + 1}/{bench.rounds}", order, report, measure)

        calls: dict[str, dict[str, float]] = {}
        if bench.countsCalls and shutil.which("strace"):

            def count(row: Program) -> str:
                calls[row.name] = self.count_calls(bench, row)
                return f"{sum(calls[row.name].values()):.3f} calls"

            order = [row for row in rows if row.label not in report.failures]
            bench.each(f"{self.name}  system calls", order, report, count)

        floors = [samples.get(name, []) for _, name in self.floors]
        for row in rows:
            if samples[row.name]:
                report.rows.append(self._row(bench, row, samples[row.name], floors, calls.get(row.name)))
        report.data = {
            "unit": {"cost": self.unit.cost, "of": self.unit.of, "rate": self.unit.rate},
            "floors": [name for _, name in self.floors],
            "rows": {
                row.name: {"label": row.label, "samples": samples[row.name], "calls": calls.get(row.name)} for row in rows
            },
        }
        return report

    def _sample(self, bench: Bench, row: Program) -> dict:
        with self.prepare(bench, row, seconds=bench.seconds, warmup=bench.warmup) as traffic:
            # At both samples no message is under way and what is measured sleeps.
            meter = counters.Meter(traffic.pid)
            result = traffic.run()
            used = meter.growth()
        messages, seconds = self.messages(result), result["seconds"]
        if not messages:
            raise BenchmarkError("nothing was exchanged")
        return {
            "cost": used.cpu / self.unit.nanoseconds / self.work(result),
            "busy": used.cpu / 1e9 / seconds,
            "busiest_thread": used.busiest_share,
            "switches": used.switches / messages,
            "messages": messages,
            "seconds": seconds,
            "rate": self.work(result) / seconds,
            "p50_us": result.get("p50_us"),
            "p99_us": result.get("p99_us"),
        }

    def count_calls(self, bench: Bench, row: Program) -> dict[str, float]:
        """System calls per message, by name."""
        with self.prepare(bench, row, seconds=60, warmup=0.2, messages=bench.counted) as traffic:
            with SystemCallCount(traffic.pid) as count:
                result = traffic.run()
        return {name: number / self.messages(result) for name, number in count.calls.items()}

    def _row(
        self, bench: Bench, row: Program, samples: list[dict], floors: list[list[dict]], calls: dict[str, float] | None
    ) -> list[str]:
        cost = {sample["round"]: sample["cost"] for sample in samples}
        best, middle = min(cost.values()), median(cost.values())
        ratios = []
        for floor in floors:
            floor_cost = {sample["round"]: sample["cost"] for sample in floor}
            pairs = [cost[round] / floor_cost[round] for round in cost if round in floor_cost]
            ratios.append(f"{best / min(floor_cost.values()):.2f}" if floor_cost else NOT_MEASURED)
            ratios.append(f"{median(pairs):.2f}" if pairs else NOT_MEASURED)
        rate = median(sample["rate"] for sample in samples)
        p50 = [sample["p50_us"] for sample in samples if sample["p50_us"]]
        threads = []
        if bench.showsThreads:
            wakeUps = sum(calls.get(call, 0) for call in row.wakesWith) if calls is not None else None
            threads.append(NOT_MEASURED if wakeUps is None else f"{wakeUps:.4f}")
            threads.append(f"{median(sample['busiest_thread'] for sample in samples):.0%}")
        return [
            row.label,
            f"{best:.3f}",
            f"{middle:.3f}",
            f"{(max(cost.values()) - best) / middle:.0%}",
            *ratios,
            f"{sum(calls.values()):.2f}" if calls else NOT_MEASURED,
            f"{median(sample['switches'] for sample in samples):.3f}",
            *threads,
            f"{rate:,.0f}" if rate >= 100 else f"{rate:.2f}",
            f"{median(p50):.0f}" if p50 else NOT_MEASURED,
        ]
