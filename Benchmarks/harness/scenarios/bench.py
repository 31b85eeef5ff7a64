"""What every scenario works with."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Callable, Protocol

from ..contenders import Contender, Program
from ..errors import BenchmarkError
from ..processes import Load, RunningServer
from ..programs import Programs
from ..report import Report

NOT_MEASURED = "–"


@dataclass(frozen=True)
class Bench:
    programs: Programs
    server_cores: set[int]
    load_cores: set[int]
    rounds: int
    seconds: float  # measured, of each round
    warmup: float  # before them
    idle_seconds: float
    counted: int  # messages under strace
    countsCalls: bool  # for each scenario, after the rounds
    showsThreads: bool  # how work is spread over threads, and how often they wake each other up

    def progress(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def start(self, server: Program, cores: set[int] | None = None) -> RunningServer:
        return RunningServer(server.command(self.programs), cores or self.server_cores)

    def load(self, scenario: str, server: RunningServer, isSecure: bool = False, **options: object) -> Load:
        program = load_generator(self.programs, isSecure)
        return Load(program, self.load_cores, scenario, server, **options)

    def each(self, scenario: str, rows: list[Program], report: Report, measure: Callable[[Program], str]) -> None:
        """Measures one after the other; what fails is reported and does not stop the others."""
        for row in rows:
            try:
                self.progress(f"{scenario}  {row.label:34}  {measure(row)}")
            except BenchmarkError as error:
                self.progress(f"{scenario}  {row.label:34}  failed: {error}")
                report.failures[row.label] = str(error)


def load_generator(programs: Programs, isSecure: bool) -> str:
    return programs.bench_of_tls("tls-load-generator") if isSecure else programs.bench("load-generator")


class Scenario(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def isSecure(self) -> bool:
        """Whether it is one of TLS."""
        ...

    @property
    def summary(self) -> str: ...

    def programs(self, contender: Contender) -> list[Program]:
        """What of this contender takes part."""
        ...

    def run(self, bench: Bench, rows: list[Program]) -> Report: ...


def sentence(text: str) -> str:
    return text[0].upper() + text[1:]
