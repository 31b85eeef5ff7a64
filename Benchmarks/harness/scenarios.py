"""What is measured. To add a scenario, write a class with a name, a summary and a `run`, and list it in SCENARIOS."""

from __future__ import annotations

import re
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Callable, Protocol

from . import counters
from .errors import BenchmarkError
from .processes import Load, Program, RunningServer, SystemCallCount
from .report import Report
from .servers import BATCHES, FLOOR, LISTEN, ONE_CALL, Programs, Server, datagram_servers

NOT_MEASURED = "–"


@dataclass(frozen=True)
class Bench:
    """What every scenario works with."""

    programs: Programs
    server_core: int
    load_core: int
    rounds: int
    seconds: float  # measured, of each round
    warmup: float  # before them
    idle_seconds: float

    def progress(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def start(self, server: Server) -> RunningServer:
        return server.start(self.programs, self.server_core)

    def load(self, scenario: str, server: RunningServer, **options: object) -> Load:
        return Load(self.programs.load_generator, self.load_core, scenario, server, **options)

    def each(self, scenario: str, servers: list[Server], report: Report, measure: Callable[[Server], str]) -> None:
        """Measures one server after the other; one that fails is reported and does not stop the others."""
        for server in servers:
            try:
                self.progress(f"{scenario}  {server.label:24}  {measure(server)}")
            except BenchmarkError as error:
                self.progress(f"{scenario}  {server.label:24}  failed: {error}")
                report.failures[server.label] = str(error)


class Scenario(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    def run(self, bench: Bench, servers: list[Server]) -> Report: ...


# -- Echo


@dataclass(frozen=True)
class Echo:
    """CPU time that the server spends on a message, in rounds: every server once in each, so that a machine whose
    speed drifts slows all of them down alike, and the ratio within a round stays true."""

    name: str
    connections: int
    size: int = 64
    depth: int = 1

    @property
    def summary(self) -> str:
        depth = f", {self.depth} messages under way on each" if self.depth > 1 else ""
        return f"echo of {self.size} bytes over {self.connections:,} connections{depth}"

    def run(self, bench: Bench, servers: list[Server]) -> Report:
        report = Report(
            self.name,
            self.summary[0].upper() + self.summary[1:],
            f"Server CPU time per message, {bench.rounds} rounds of {bench.seconds:g} s.",
            ["server", "best µs", "median µs", "spread"]
            + [f"{how} ÷ {title}" for title, _ in self._floors() for how in ("best", "paired")]
            + ["messages/s", "p50 µs"],
        )
        servers = self._servers(servers)
        samples: dict[str, list[dict]] = {server.name: [] for server in servers}
        for round in range(bench.rounds):

            def measure(server: Server) -> str:
                sample = self._sample(bench, server)
                samples[server.name].append({"round": round, **sample})
                return f"{sample['cpu_us']:7.3f} µs a message  {sample['rate']:9,.0f} messages/s"

            # Each round begins with another server, so that none always follows the same one.
            turn = round % len(servers)
            order = [server for server in servers[turn:] + servers[:turn] if server.label not in report.failures]
            bench.each(f"{self.name}  round {round + 1}/{bench.rounds}", order, report, measure)

        floors = [samples.get(floor.name, []) for _, floor in self._floors()]
        for server in servers:
            if samples[server.name]:
                report.rows.append(self._row(server, samples[server.name], floors))
        report.data = {
            "connections": self.connections,
            "size": self.size,
            "depth": self.depth,
            "servers": {server.name: {"label": server.label, "samples": samples[server.name]} for server in servers},
        }
        return report

    def _servers(self, chosen: list[Server]) -> list[Server]:
        return chosen

    def _floors(self) -> list[tuple[str, Server]]:
        """What the ratios are to, with the word for the columns."""
        return [("C", FLOOR)]

    def _load(self, bench: Bench, server: RunningServer, **options: object) -> Load:
        return bench.load("echo", server, **options)

    def _sample(self, bench: Bench, server: Server) -> dict:
        with bench.start(server) as target, self._load(
            bench,
            target,
            connections=self.connections,
            size=self.size,
            depth=self.depth,
            seconds=bench.seconds,
            warmup=bench.warmup,
            gate=True,
        ) as load:
            # At both samples no message is under way and the server sleeps: see the head of the generator's source.
            load.wait_until_ready()
            before = counters.cpu_nanoseconds(target.pid)
            load.write_line()
            result = load.result(timeout=bench.seconds + 60)
            after = counters.cpu_nanoseconds(target.pid)
            load.finish()
            cpu = counters.growth(before, after)
        return {
            "cpu_us": cpu / 1e3 / result["messages"],
            "busy": cpu / 1e9 / result["seconds"],
            **{key: result[key] for key in ("messages", "seconds", "rate", "p50_us", "p99_us")},
        }

    @staticmethod
    def _row(server: Server, samples: list[dict], floors: list[list[dict]]) -> list[str]:
        cpu = {sample["round"]: sample["cpu_us"] for sample in samples}
        best, middle = min(cpu.values()), median(cpu.values())
        ratios = []
        for floor in floors:
            floor_cpu = {sample["round"]: sample["cpu_us"] for sample in floor}
            pairs = [cpu[round] / floor_cpu[round] for round in cpu if round in floor_cpu]
            ratios.append(f"{best / min(floor_cpu.values()):.2f}" if floor_cpu else NOT_MEASURED)
            ratios.append(f"{median(pairs):.2f}" if pairs else NOT_MEASURED)
        return [
            server.label,
            f"{best:.3f}",
            f"{middle:.3f}",
            f"{(max(cpu.values()) - best) / middle:.0%}",
            *ratios,
            f"{median(sample['rate'] for sample in samples):,.0f}",
            f"{median(sample['p50_us'] for sample in samples):.0f}",
        ]


# -- Idle


@dataclass(frozen=True)
class IdleMemory:
    """What a silent connection costs, once it has been used."""

    name: str = "idle-memory"
    connections: int = 10_000
    settle: float = 0.5

    @property
    def summary(self) -> str:
        return f"memory of {self.connections:,} idle connections that echoed once"

    def run(self, bench: Bench, servers: list[Server]) -> Report:
        report = Report(
            self.name,
            self.summary[0].upper() + self.summary[1:],
            "(VmRSS with the connections open − VmRSS before the first) ÷ connections, so what the first use of the"
            " server's code brings into memory counts too; anonymous is the part that is neither program text nor a"
            " mapped file. Kernel memory is not in it.",
            ["server", "bytes/connection", "anonymous", "before MiB", "after MiB"],
        )
        found: dict[str, dict] = {}

        def measure(server: Server) -> str:
            with bench.start(server) as target:
                time.sleep(self.settle)
                before, anonymous_before = counters.resident_bytes(target.pid)
                with bench.load("idle", target, connections=self.connections) as load:
                    load.wait_until_ready()
                    time.sleep(self.settle)
                    after, anonymous_after = counters.resident_bytes(target.pid)
                    load.finish()
            each = (after - before) / self.connections
            anonymous = (anonymous_after - anonymous_before) / self.connections
            found[server.name] = {
                "label": server.label,
                "bytes_per_connection": each,
                "anonymous_bytes_per_connection": anonymous,
                "resident_before": before,
                "resident_after": after,
            }
            report.rows.append(
                [server.label, f"{each:,.0f}", f"{anonymous:,.0f}", f"{before / 2**20:.1f}", f"{after / 2**20:.1f}"]
            )
            return f"{each:,.0f} bytes a connection"

        bench.each(self.name, servers, report, measure)
        report.data = {"connections": self.connections, "servers": found}
        return report


@dataclass(frozen=True)
class IdleWakeups:
    """A server that nobody talks to should not run at all."""

    name: str = "idle-wakeups"
    settle: float = 2

    summary = "wake-ups of a fresh server that nobody talks to"

    def run(self, bench: Bench, servers: list[Server]) -> Report:
        report = Report(
            self.name,
            self.summary[0].upper() + self.summary[1:],
            f"Context switches, voluntary and not, of all threads in {bench.idle_seconds:g} s.",
            ["server", "switches", "threads"],
        )
        with ExitStack() as running:
            targets: dict[Server, RunningServer] = {}
            # All at once: sleeping servers do not disturb each other.
            bench.each(self.name, servers, report, lambda server: self._start(bench, server, targets, running))
            time.sleep(self.settle)
            before = {server: counters.context_switches(target.pid) for server, target in targets.items()}
            time.sleep(bench.idle_seconds)
            found = {}
            for server, target in targets.items():
                try:
                    target.require_running()
                except BenchmarkError as error:
                    report.failures[server.label] = str(error)
                    continue
                after = counters.context_switches(target.pid)
                switches = counters.growth(before[server], after)
                found[server.name] = {"label": server.label, "switches": switches, "threads": len(after)}
                report.rows.append([server.label, str(switches), str(len(after))])
                bench.progress(f"{self.name}  {server.label:24}  {switches} in {bench.idle_seconds:g} s")
        report.data = {"seconds": bench.idle_seconds, "servers": found}
        return report

    @staticmethod
    def _start(bench: Bench, server: Server, targets: dict[Server, RunningServer], running: ExitStack) -> str:
        targets[server] = running.enter_context(bench.start(server))
        return "started"


# -- System calls


@dataclass(frozen=True)
class SystemCalls:
    """Which calls a message costs. A futex call for each message would mean that it changes threads."""

    name: str = "system-calls"
    connections: int = 64
    messages: int = 20_000

    @property
    def summary(self) -> str:
        return f"system calls per message, 64 bytes over {self.connections:,} connections, under strace"

    def run(self, bench: Bench, servers: list[Server]) -> Report:
        report = Report(
            self.name,
            self.summary[0].upper() + self.summary[1:],
            f"Counted over {self.messages:,} messages of connections in use; {NOT_MEASURED} means not once.",
            ["call"],
        )
        if shutil.which("strace") is None:
            report.note = "Skipped: strace is not installed."
            bench.progress(f"{self.name}  skipped: strace is not installed")
            return report
        found: dict[str, dict] = {}

        def measure(server: Server) -> str:
            messages, calls = self._count(bench, server)
            per_message = {call: calls[call] / messages for call in sorted(calls, key=lambda call: -calls[call])}
            found[server.name] = {"label": server.label, "messages": messages, "calls_per_message": per_message}
            return "  ".join(f"{call} {count:.3f}" for call, count in per_message.items())

        bench.each(self.name, servers, report, measure)
        report.header += [row["label"] for row in found.values()]
        columns = [row["calls_per_message"] for row in found.values()]
        total = {call: sum(column.get(call, 0) for column in columns) for column in columns for call in column}
        for call in sorted(total, key=lambda call: -total[call]):
            cells = [f"{column[call]:.4f}" if call in column else NOT_MEASURED for column in columns]
            report.rows.append([call, *cells])
        report.data = {"connections": self.connections, "servers": found}
        return report

    def _count(self, bench: Bench, server: Server) -> tuple[int, dict[str, int]]:
        with bench.start(server) as target, bench.load(
            "echo", target, connections=self.connections, messages=self.messages, seconds=60, warmup=0.2, gate=True
        ) as load:
            load.wait_until_ready()
            with SystemCallCount(target.pid) as count:
                load.write_line()
                result = load.result(timeout=120)
            load.finish()
        return result["messages"], count.calls


# -- Datagrams


@dataclass(frozen=True)
class DatagramEcho(Echo):
    """The same over UDP, beside a C loop of one call for each datagram in each direction, and one of batches."""

    @property
    def summary(self) -> str:
        return f"UDP echo of {self.size} bytes over {self.connections} sockets, {self.depth} datagrams under way on each"

    def _servers(self, chosen: list[Server]) -> list[Server]:
        return datagram_servers(chosen)

    def _floors(self) -> list[tuple[str, Server]]:
        return [("one call", ONE_CALL), ("batches", BATCHES)]

    def _load(self, bench: Bench, server: RunningServer, **options: object) -> Load:
        return Load(bench.programs.datagram_load, bench.load_core, "echo", server, **options)


@dataclass(frozen=True)
class OneWay:
    """A stream of datagrams from one process to another, as fast as it goes: what counts is what arrives."""

    name: str = "udp-stream"
    size: int = 1200

    @property
    def summary(self) -> str:
        return f"UDP, one way: {self.size} bytes a datagram, as fast as it goes, loss allowed"

    def run(self, bench: Bench, servers: list[Server]) -> Report:
        report = Report(
            self.name,
            self.summary,
            f"What arrives, {bench.rounds} rounds of {bench.seconds:g} s; medians. CPU time is the receiver's, for each"
            " datagram that arrived. Sender and receiver have a core each.",
            ["both ends", "datagrams/s", "best", "paired ÷ one call", "receiver µs"],
        )
        ours = Server("ours", "HarmonySocket", lambda programs: [str(programs.udp_meter), "receive", *LISTEN])
        floor = Server("one-call", "C send, recv", lambda programs: [str(programs.datagram_loop), "receive"])
        samples: dict[str, list[dict]] = {floor.name: [], ours.name: []}
        for round in range(bench.rounds):

            def measure(server: Server) -> str:
                sample = self._sample(bench, server, isOurs=server is ours)
                samples[server.name].append({"round": round, **sample})
                return f"{sample['rate']:12,.0f} datagrams/s  {sample['cpu_us']:7.3f} µs each"

            bench.each(f"{self.name}  round {round + 1}/{bench.rounds}", [floor, ours], report, measure)
        base = {sample["round"]: sample["rate"] for sample in samples[floor.name]}
        for server in (floor, ours):
            rates = [sample["rate"] for sample in samples[server.name]]
            if not rates:
                continue
            pairs = [each["rate"] / base[each["round"]] for each in samples[server.name] if each["round"] in base]
            report.rows.append(
                [
                    server.label,
                    f"{median(rates):,.0f}",
                    f"{max(rates):,.0f}",
                    f"{median(pairs):.2f}" if pairs else NOT_MEASURED,
                    f"{median(sample['cpu_us'] for sample in samples[server.name]):.3f}",
                ]
            )
        report.data = {"size": self.size, "samples": samples}
        return report

    def _sample(self, bench: Bench, server: Server, isOurs: bool) -> dict:
        programs = bench.programs
        with bench.start(server) as target:
            before = counters.cpu_nanoseconds(target.pid)
            options = ["--host", target.host, "--port", str(target.port), "--size", str(self.size)]
            options += ["--seconds", str(bench.seconds)]
            command = [str(programs.udp_meter), "send", *options, "--rate", "0"]
            if not isOurs:
                command = [str(programs.datagram_loop), "send", *options]
            with Program("sender", command, bench.load_core, explains=True) as sender:
                sender.wait_for_end(bench.seconds + 30)
            line = target.read_line(10)
            found = re.search(r"(\d+) datagrams in ([0-9.]+) s", line)
            if found is None:
                raise BenchmarkError(f"the receiver said '{line}'")
            cpu = counters.growth(before, counters.cpu_nanoseconds(target.pid))
        count, seconds = int(found[1]), float(found[2])
        return {"rate": count / seconds, "datagrams": count, "seconds": seconds, "cpu_us": cpu / 1e3 / max(1, count)}


SCENARIOS: list[Scenario] = [
    Echo("echo-64", connections=64),
    Echo("echo-1000", connections=1000),
    IdleMemory(),
    IdleWakeups(),
    SystemCalls(),
    DatagramEcho("udp-echo", connections=16, depth=8),
    OneWay(),
]
