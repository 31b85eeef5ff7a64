"""UDP: the echo, and one way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median

from .. import counters
from ..contenders import BATCHES, FLOOR, LISTEN, ONE_CALL, Contender, Program
from ..errors import BenchmarkError
from ..processes import Program as Process
from ..report import Report
from .bench import NOT_MEASURED, Bench
from .streams import Served


class DatagramEcho(Served):
    """Beside a C loop of one call for each datagram in each direction, and one of batches."""

    scenario = "datagrams"

    @property
    def summary(self) -> str:
        return f"UDP echo of {self.size} bytes over {self.connections} sockets, {self.depth} datagrams under way on each"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.datagram_servers()

    @property
    def floors(self) -> list[tuple[str, str]]:
        return [("one call", f"{FLOOR.name} {ONE_CALL}"), ("batches", f"{FLOOR.name} {BATCHES}")]


@dataclass(frozen=True)
class OneWay:
    """A stream of datagrams from one process to another, as fast as it goes: what counts is what arrives."""

    name: str = "udp-stream"
    size: int = 1200
    isSecure = False

    @property
    def summary(self) -> str:
        return f"UDP, one way: {self.size} bytes a datagram, as fast as it goes, loss allowed"

    def programs(self, contender: Contender) -> list[Program]:
        if contender is FLOOR:
            return [Program("C", "C send, recv", lambda programs: [programs.bench("datagram-loop")])]
        if contender.name == "events":  # one of ours is enough: udp-meter has no styles
            return [Program("HarmonySocket", "HarmonySocket", lambda programs: [programs.example("udp-meter")])]
        return []

    def run(self, bench: Bench, rows: list[Program]) -> Report:
        report = Report(
            self.name,
            self.summary,
            f"What arrives, {bench.rounds} rounds of {bench.seconds:g} s; medians. CPU time is the receiver's, for each"
            " datagram that arrived. Sender and receiver have a core each.",
            ["both ends", "datagrams/s", "best", "paired ÷ C", "receiver µs"],
        )
        samples: dict[str, list[dict]] = {row.name: [] for row in rows}
        for round in range(bench.rounds):

            def measure(row: Program) -> str:
                sample = self._sample(bench, row)
                samples[row.name].append({"round": round, **sample})
                return f"{sample['rate']:12,.0f} datagrams/s  {sample['cost']:7.3f} µs each"

            bench.each(f"{self.name}  round {round + 1}/{bench.rounds}", rows, report, measure)
        base = {sample["round"]: sample["rate"] for sample in samples.get("C", [])}
        for row in rows:
            rates = [sample["rate"] for sample in samples[row.name]]
            if not rates:
                continue
            pairs = [each["rate"] / base[each["round"]] for each in samples[row.name] if each["round"] in base]
            report.rows.append(
                [
                    row.label,
                    f"{median(rates):,.0f}",
                    f"{max(rates):,.0f}",
                    f"{median(pairs):.2f}" if pairs else NOT_MEASURED,
                    f"{median(sample['cost'] for sample in samples[row.name]):.3f}",
                ]
            )
        report.data = {
            "size": self.size,
            "rows": {row.name: {"label": row.label, "samples": samples[row.name]} for row in rows},
        }
        return report

    def _sample(self, bench: Bench, row: Program) -> dict:
        program = row.command(bench.programs)
        receiver = Program(row.name, row.label, lambda _: [*program, "receive", *LISTEN])
        with bench.start(receiver) as target:
            before = counters.Meter(target.pid)
            command = [*program, "send", "--host", target.host, "--port", str(target.port)]
            command += ["--size", str(self.size), "--seconds", str(bench.seconds)]
            if row.name != "C":
                command += ["--rate", "0"]
            with Process("sender", command, bench.load_cores, explains=True) as sender:
                sender.wait_for_end(bench.seconds + 30)
            line = target.read_line(10)
            found = re.search(r"(\d+) datagrams in ([0-9.]+) s", line)
            if found is None:
                raise BenchmarkError(f"the receiver said '{line}'")
            cpu = before.growth().cpu
        count, seconds = int(found[1]), float(found[2])
        return {"rate": count / seconds, "datagrams": count, "seconds": seconds, "cost": cpu / 1e3 / max(1, count)}
