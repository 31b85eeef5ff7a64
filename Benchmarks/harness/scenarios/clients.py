"""Clients: what a round trip costs the side that asks."""

from __future__ import annotations

from contextlib import contextmanager

from ..contenders import FLOOR, Contender, Program
from ..errors import BenchmarkError
from ..processes import Program as Process
from .bench import Bench
from .rounds import Rounds, Traffic, Unit

PER_SECOND = 15_000  # so many round trips are asked for, for each second that a round is to take


class PingPong(Rounds):
    """The client is measured, on the core where servers are otherwise; the C server answers."""

    unit = Unit("µs", "round trip", 1e3, "round trips/s")
    summary = "a client with one connection, 64 bytes to and fro, one message after the other"

    def programs(self, contender: Contender) -> list[Program]:
        return contender.ping_pong_clients()

    @property
    def floors(self) -> list[tuple[str, str]]:
        return [("C", f"{FLOOR.name} blocking")]

    @contextmanager
    def prepare(self, bench: Bench, row: Program, **limits: object):
        messages = limits.get("messages") or int(limits["seconds"] * PER_SECOND)
        (floor,) = FLOOR.servers("echo")
        with bench.start(floor, bench.load_cores) as target, Process(
            "client",
            [*row.command(bench.programs), target.host, str(target.port), str(messages)],
            bench.server_cores,
            explains=True,
        ) as client:
            client.wait_until_ready()

            def run() -> dict:
                client.write_line()
                word, _, seconds = client.read_line(timeout=limits["seconds"] * 10 + 60).partition(" ")
                if word != "done":
                    raise BenchmarkError(f"the client said '{word}' instead of 'done'")
                return {"messages": messages, "seconds": float(seconds)}

            yield Traffic(client.pid, run)
            client.finish()
