"""Finds the programs, and builds them when they are first wanted."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .errors import BenchmarkError, NotHere

BENCHMARKS = Path(__file__).resolve().parent.parent
LIBRARY = BENCHMARKS.parent
PEERS = BENCHMARKS / "Peers"


@dataclass
class Programs:
    build: bool = True
    ours: Path | None = None  # a tcp-echo-server to take instead of building it
    _found: dict[object, Path] = field(default_factory=dict)

    def bench(self, product: str) -> str:
        """A program of this package."""
        return self._swift(BENCHMARKS, product)

    def bench_of_tls(self, product: str) -> str:
        """A program of this package that needs OpenSSL."""
        try:
            return self._swift(BENCHMARKS, product)
        except BenchmarkError as error:
            raise NotHere(f"{error}; are the headers of OpenSSL 3 installed? (Debian: libssl-dev)") from None

    @cached_property
    def identity(self) -> Identity:
        """What the servers of TLS show."""
        return Identity()

    def example(self, product: str) -> str:
        """A program of the library's package."""
        if self.ours and product == "tcp-echo-server":
            return str(self.ours)
        return self._swift(LIBRARY, product)

    def swift_peer(self, product: str) -> str:
        try:
            return self._swift(PEERS, product)
        except BenchmarkError as error:
            raise NotHere(str(error)) from None

    def _swift(self, package: Path, product: str) -> str:
        if (package, product) not in self._found:
            command = ["swift", "build", "-c", "release", "--package-path", str(package)]
            if self.build:
                run(command + ["--product", product])
            if package not in self._found:
                self._found[package] = Path(run(command + ["--show-bin-path"], isAnswered=True).strip())
            self._found[package, product] = self._found[package] / product
        return str(self._found[package, product])

    def made(self, peer: str, source: Path, tool: str, command: list[str], output: Path) -> str:
        """A program of a peer that has a compiler of its own: `command` makes `output` of what is in `source`."""
        if output not in self._found:
            if self.build:
                if shutil.which(tool) is None:
                    raise NotHere(f"{tool} is not installed")
                output.parent.mkdir(parents=True, exist_ok=True)
                try:
                    run(command, folder=source)
                except BenchmarkError as error:
                    raise NotHere(f"{peer} does not build here: {error}") from None
            self._found[output] = output
        if not output.exists():
            raise NotHere("was not built")
        return str(output)


class Identity:
    """A certificate for localhost and its key, for as long as the run lasts. ECDSA, as most of the web."""

    def __init__(self):
        if shutil.which("openssl") is None:
            raise NotHere("the program openssl is not installed")
        self._folder = tempfile.TemporaryDirectory(prefix="benchmarks-")
        self.certificate = Path(self._folder.name) / "certificate.pem"
        self.key = Path(self._folder.name) / "key.pem"
        command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        run([*command, "-keyout", str(self.key), "-out", str(self.certificate)])

    @property
    def options(self) -> list[str]:
        return ["--cert", str(self.certificate), "--key", str(self.key)]


def run(command: list[str], folder: Path | None = None, isAnswered: bool = False) -> str:
    try:
        return subprocess.run(
            command,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if isAnswered else sys.stderr,
            text=True,
        ).stdout
    except FileNotFoundError:
        raise BenchmarkError(f"{command[0]} is not installed, or not on the search path") from None
    except subprocess.CalledProcessError:
        raise BenchmarkError(f"this failed: {shlex.join(command)}") from None
