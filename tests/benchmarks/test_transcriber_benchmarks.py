"""How much memory and time does a large upload take, and how long does a long transcript block anyone?"""

import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from focusflow.providers.assemblyai import open_assemblyai
from focusflow.providers.assemblyai_wire import parse
from focusflow.providers.tokens import estimated_tokens
from focusflow.sandbox.assemblyai import API_KEY, AssemblyAIService
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

MIB = 1024 * 1024
SIZE = 200 * MIB


class RealClock:
    """The system's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@pytest.fixture
def large_audio() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=".m4a") as file:
        file.truncate(SIZE)
        yield Path(file.name)


def resident() -> int:
    """Bytes of this process in memory now, the emulator's included."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


async def upload(audio: Path) -> int:
    """Upload *audio* to the emulator; return by how much this process grew at most."""
    service = AssemblyAIService(clock=lambda: datetime.now(UTC).timestamp(), bill=Bill())
    peak = 0

    def measure(_sent: int, _total: int | None) -> None:
        nonlocal peak
        peak = max(peak, resident())

    async with (
        Sandbox([service], faults=FaultPlan(), log=RequestLog()) as sandbox,
        open_assemblyai(api_key=API_KEY, base_url=sandbox.url_of("assemblyai"), clock=RealClock()) as transcriber,
    ):
        before = resident()
        await transcriber.upload(audio, progress=measure)
        return peak - before


def test_200_megabytes_are_uploaded_in_constant_memory(benchmark: BenchmarkFixture, large_audio: Path) -> None:
    """Client and emulator together grow by a few chunks, not by the file."""
    run = lambda: anyio.run(upload, large_audio)
    grown = benchmark.pedantic(run, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call] # it has no types
    benchmark.extra_info["grown_mib"] = round(grown / MIB, 1)
    assert grown < 24 * MIB


def test_a_transcript_of_three_hours_is_understood(benchmark: BenchmarkFixture) -> None:
    """In a thread, but it holds the interpreter: it should stay well below a blink."""
    words = [
        {
            "text": "word",
            "start": number * 400,
            "end": number * 400 + 300,
            "confidence": 0.97,
            "speaker": "AB"[number // 12 % 2],
        }
        for number in range(27_000)
    ]
    turns = [words[start : start + 12] for start in range(0, len(words), 12)]
    utterances = [
        {
            "text": " ".join("word" for _ in turn),
            "start": turn[0]["start"],
            "end": turn[-1]["end"],
            "speaker": turn[0]["speaker"],
            "words": turn,
        }
        for turn in turns
    ]
    raw = json.dumps(
        {"status": "completed", "text": "word " * 27_000, "words": words, "utterances": utterances}
    ).encode()
    transcript = benchmark(parse, raw)
    assert len(transcript.utterances) == len(turns)


def test_the_tokens_of_a_long_call_are_estimated(benchmark: BenchmarkFixture) -> None:
    """Three hours of talk, about 150,000 characters."""
    text = "[01:12:09] A: Well, I'd say that's about right, isn't it?\n" * 2600
    assert benchmark(estimated_tokens, text) > 30_000
