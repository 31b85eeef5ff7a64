"""What is measured. To add a scenario, write a class as `bench.Scenario` says, and list it in SCENARIOS."""

from __future__ import annotations

from .bench import Bench, Scenario, load_generator
from .calls import SystemCalls
from .clients import PingPong
from .datagrams import DatagramEcho, OneWay
from .idle import IdleMemory, IdleWakeups
from .streams import Connect, Download, Echo, Handshakes, Resumptions, Upload
from .websockets import IdleWebSockets, Masking, WebSocketEcho

SCENARIOS: list[Scenario] = [
    Echo("echo-64", connections=64),
    Echo("echo-1000", connections=1000),
    Echo("pipelined", connections=16, depth=16),
    Echo("echo-16k", connections=16, size=16 * 1024),
    Connect("connect", connections=16),
    Upload("upload", connections=4, size=64 * 1024),
    Download("download", connections=4),
    IdleMemory(),
    IdleWakeups(),
    SystemCalls(),
    DatagramEcho("udp-echo", connections=16, depth=8),
    OneWay(),
    PingPong("ping-pong"),
    Upload("tls-upload", connections=4, size=64 * 1024, isSecure=True),
    Download("tls-download", connections=4, isSecure=True),
    Handshakes("tls-handshakes", connections=16, isSecure=True),
    Resumptions("tls-resumed", connections=16, isSecure=True),
    Echo("tls-echo", connections=64, isSecure=True),
    IdleMemory("tls-idle-memory", connections=4_000, isSecure=True),
    WebSocketEcho("ws-echo-64", connections=100),
    WebSocketEcho("ws-echo-64k", connections=100, size=64 * 1024),
    IdleWebSockets("ws-idle-memory"),
    Masking(),
]
