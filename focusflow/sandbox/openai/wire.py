"""What does a completion look like on the wire, whole or as a stream of events?"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from focusflow.sandbox.openai.checks import Refusal

Json = dict[str, object]

CHARACTERS_PER_TOKEN: Final = 4

SERVER_ERROR: Final = Refusal(
    status=500,
    message="The server had an error while processing your request. Sorry about that!",
    type="server_error",
)


@dataclass(slots=True, kw_only=True)
class Completion:
    """One answer: what is going to be said, and what it uses."""

    id: str
    model: str
    created: int
    tier: str | None
    input_tokens: int
    reasoning_tokens: int
    deltas: list[str]
    """The text in the pieces in which it is streamed."""
    finish_reason: str
    fault: str | None

    def usage(self, written: int | None = None) -> Json:
        """The usage object after the first *written* deltas; None: after all of them."""
        output = self.reasoning_tokens + tokens_in("".join(self.deltas[:written]))
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens + output,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def quantity(self, written: int | None = None) -> dict[str, int]:
        """What the bill says after the first *written* deltas."""
        return {
            "input_tokens": self.input_tokens,
            "cached_tokens": 0,
            "output_tokens": self.reasoning_tokens + tokens_in("".join(self.deltas[:written])),
            "reasoning_tokens": self.reasoning_tokens,
        }


def tokens_in(text: str) -> int:
    """How many tokens *text* is taken for."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def opening_deltas(completion: Completion) -> list[str]:
    """The deltas that are sent: all, or half of them if the stream is planned to break."""
    deltas = completion.deltas
    return deltas[: len(deltas) // 2] if completion.fault in BREAKS else deltas


def chunk(completion: Completion, delta: Json | None, usage_wanted: bool, finish: str | None = None) -> Json:
    """One event of a stream; without a *delta* it is the one that carries the usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    usage: Json = {} if not usage_wanted else {"usage": completion.usage() if delta is None else None}
    return {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        **_fingerprint(completion),
        "choices": choices,
        **usage,
        "obfuscation": f"{crc32(json.dumps(choices).encode()):x}",
    }


def closing_events(completion: Completion, usage_wanted: bool) -> Iterator[bytes]:
    """What follows the last delta: the reason to finish, the usage if wanted, and the end of the stream."""
    yield event(chunk(completion, {}, usage_wanted, completion.finish_reason))
    if usage_wanted and completion.fault != "no_usage":
        yield event(chunk(completion, None, usage_wanted))
    yield b"data: [DONE]\n\n"


def whole(completion: Completion) -> Json:
    """The answer to a request without `stream`."""
    message: Json = {"role": "assistant", "content": "".join(completion.deltas), "refusal": None, "annotations": []}
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": completion.finish_reason}
    return {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "choices": [choice],
        **({} if completion.fault == "no_usage" else {"usage": completion.usage()}),
        **_fingerprint(completion),
    }


def _fingerprint(completion: Completion) -> Json:
    if completion.tier is None:
        return {"system_fingerprint": "fp_sandbox"}
    return {"service_tier": completion.tier, "system_fingerprint": None}


def event(data: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


BREAKS: Final[Mapping[str | None, bytes]] = {
    "mid_stream_error": event(SERVER_ERROR.body()),
    "clean_eof": b"",
    "bad_event": b'data: {"id":"chatcmpl-broken","object":"chat.comp\n\n',
}
"""How a stream ends in the middle, and its last bytes."""
