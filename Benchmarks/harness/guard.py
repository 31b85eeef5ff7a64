"""What a message costs in user space, counted and not timed: instructions and allocations under callgrind, system calls under
strace. The same program does the same work each time, so the figures move only when the code does.

A path is run with few messages and with many, and the difference divided by theirs: so start and end have no part in it.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .contenders import FLOOR
from .errors import BenchmarkError
from .processes import Load, Program, RunningServer, parse_calls
from .programs import Programs

FEW, MANY = 1_000, 5_000
SERVERS = {
    "tcp-events": "echo",
    "tcp-callback": "echo",
    "tcp-async": "echo",
    "tcp-bytes": "echo",
    "ws-events": "echo",
    "ws-callback": "echo",
    "ws-async": "echo",
    "udp-events": "datagrams",
    "udp-callback": "datagrams",
    "udp-async": "datagrams",
    "udp-batches": "datagrams",
}
# Not from the global pool: which thread is woken up when is chance.
CLIENTS = ["client-loop", "client-events", "client-callback"]
PATHS = [*SERVERS, *CLIENTS]

ALLOCATING = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}
CALLERS = 7  # of them are told
PATIENCE = 120


@dataclass(frozen=True)
class Count:
    instructions: float
    allocations: float
    calls: float

    def __sub__(self, other: Count) -> Count:
        return Count(
            self.instructions - other.instructions, self.allocations - other.allocations, self.calls - other.calls
        )

    def __truediv__(self, messages: int) -> Count:
        return Count(self.instructions / messages, self.allocations / messages, self.calls / messages)

    def rounded(self) -> dict[str, float]:
        return {
            "instructions": round(self.instructions, 1),
            "allocations": round(self.allocations, 3),
            "system calls": round(self.calls, 3),
        }


def measure(programs: Programs, path: str) -> Count:
    """Of one message."""
    return (_count(programs, path, MANY) - _count(programs, path, FEW)) / _difference(path)


def allocations(programs: Programs, path: str) -> dict[str, float]:
    """Who allocates how often for a message: functions, from the one that allocates outwards."""
    few, many = (
        _profile(programs, path, messages, f"--separate-callers={CALLERS}").allocations for messages in (FEW, MANY)
    )
    found = {chain: (count - few.get(chain, 0)) / _difference(path) for chain, count in many.items()}
    return {chain: count for chain, count in found.items() if count > 0.001}


def _difference(path: str) -> int:
    """A client exchanges a tenth before."""
    return (MANY - FEW) * 11 // 10 if path in CLIENTS else MANY - FEW


def _count(programs: Programs, path: str, messages: int) -> Count:
    profile = _profile(programs, path, messages)
    with tempfile.NamedTemporaryFile("r", prefix="calls-") as summary:
        _exchange(programs, path, messages, ["strace", "-c", "-f", "-o", summary.name])
        calls = sum(parse_calls(summary.read()).values())
    return Count(profile.instructions, sum(profile.allocations.values()), calls)


def _profile(programs: Programs, path: str, messages: int, *options: str) -> Profile:
    with tempfile.NamedTemporaryFile("r", prefix="profile-") as file:
        tool = ["valgrind", "-q", "--tool=callgrind", *options, f"--callgrind-out-file={file.name}"]
        _exchange(programs, path, messages, tool)
        return parse_profile(Path(file.name).read_text())


def _exchange(programs: Programs, path: str, messages: int, tool: list[str]) -> None:
    program = ["env", "SWIFT_DETERMINISTIC_HASHING=1", *tool, programs.bench("hot-paths"), path]
    if path in CLIENTS:
        (floor,) = FLOOR.servers("echo")
        with RunningServer(floor.command(programs)) as server:
            with Program(path, [*program, server.host, str(server.port), str(messages)]) as client:
                client.wait_until_ready(PATIENCE)
                client.write_line()
                client.read_line(PATIENCE)
                client.finish()
    else:
        with RunningServer(program) as server:
            generator = programs.bench("load-generator")
            options = {"connections": 1, "messages": messages, "seconds": PATIENCE, "warmup": 0}
            if path.startswith("ws-"):
                options["websocket"] = True
            options["sleeper"] = _traced(server.pid)
            with Load(generator, None, SERVERS[path], server, **options) as load:
                load.result(PATIENCE)
                load.finish()
            server.finish()


def _traced(pid: int) -> int:
    """The program itself: strace starts it as its child, valgrind becomes it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


@dataclass(frozen=True)
class Profile:
    instructions: int
    allocations: dict[str, int]  # by who calls malloc, and its callers if asked for


def parse_profile(text: str) -> Profile:
    """A file that callgrind wrote."""
    total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
    if total is None:
        raise BenchmarkError("callgrind wrote no profile")
    names: dict[str, str] = {}  # a name is written once, and then only its number
    allocations: dict[str, int] = {}
    caller = called = ""
    for line in text.splitlines():
        if line.startswith(("fn=", "cfn=")):
            number, _, name = line.partition("=")[2].partition(" ")
            if name:
                names[number] = name
            if line.startswith("fn="):
                caller = names[number]
            else:
                called = names[number].partition("'")[0]
        elif line.startswith("calls=") and called in ALLOCATING:
            allocations[caller] = allocations.get(caller, 0) + int(line[len("calls=") :].split()[0])
    return Profile(int(total[1]), allocations)


# -- What is allowed


@dataclass(frozen=True)
class Limits:
    """Recorded figures, and what they may grow by."""

    recorded: dict[str, dict[str, float]]
    made_with: str

    TOLERANCE = 0.03
    # Fractions of a call are of what happens now and then; the tolerance of a figure that is zero is zero.
    SLACK = {"instructions": 0.0, "allocations": 0.005, "system calls": 0.005}

    def verdict(self, path: str, found: Count) -> tuple[list[str], bool]:
        """What has grown too much, and whether something became clearly less."""
        grown, isLess = [], False
        known = self.recorded.get(path)
        if known is None:
            return ["nothing is recorded"], False
        for what, value in found.rounded().items():
            if value > known[what] * (1 + self.TOLERANCE) + self.SLACK[what]:
                grown.append(f"{value:g} {what}, recorded are {known[what]:g}")
            isLess |= value < known[what] * (1 - self.TOLERANCE) - self.SLACK[what]
        return grown, isLess
