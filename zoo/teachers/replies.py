"""An answer of a server, checked before anything of it is used. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catalog import jsontext
from catalog.jsontext import Json, JsonObject
from catalog.unseen import visible
from zoo.teachers.servers import LONGEST_NAME

MOST_TOKENS = 1 << 30
"""Of one request, by the server's own count: a larger one is not a valid count."""
FINISHED = ("stop", "length")


@dataclass(frozen=True)
class Reply:
    """finish: how it says that the answer ended. prompt_tokens, answer_tokens: what it says it read and wrote, None if
    it does not say. build: what it says of itself (``system_fingerprint``)."""

    text: str
    finish: str
    model: str
    prompt_tokens: int | None
    answer_tokens: int | None
    build: str


class NotAReply(ValueError):
    """What came is not a valid answer of the API; the text gives the reason, for people."""


def read(raw: bytes) -> Reply:
    """The answer in the body of a response. Raises NotAReply."""
    try:
        data = jsontext.parse(raw, bounded=False)
    except jsontext.NotJson as error:
        raise NotAReply(f"not JSON ({str(error)[:80]})") from error
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(choices, list) or len(choices) != 1:
        raise NotAReply("JSON without exactly one answer in `choices`")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NotAReply("an answer without a message")
    text, finish, model = message.get("content"), choice.get("finish_reason"), data.get("model")
    if not isinstance(text, str | None) or not isinstance(finish, str) or not isinstance(model, str):
        raise NotAReply("an answer without a text, the model's name or how it ended")
    usage = data.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text or "", visible(finish)[:40], model, _count(counts, "prompt_tokens"), _count(counts, "completion_tokens"),
        visible(str(data.get("system_fingerprint") or ""))[:LONGEST_NAME],
    )  # fmt: skip


def believed(reply: Reply, most_tokens: int) -> Reply:
    """The reply with a count of answer tokens only if it can be true: a server may write ``most_tokens`` at most."""
    counted = reply.answer_tokens
    return replace(reply, answer_tokens=None) if counted is not None and counted > most_tokens else reply


def words_of_error(raw: bytes) -> str:
    """What a server says about a request that it refuses, on one line and not long; empty if it says nothing usable."""
    try:
        data = jsontext.parse(raw[:1 << 16], bounded=False)
    except jsontext.NotJson:
        return ""
    found: Json = data
    for name in ("error", "message"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return " ".join(visible(found).split())[:300] if isinstance(found, str) else ""


def _count(usage: JsonObject, name: str) -> int | None:
    value = usage.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        return None
    return value
