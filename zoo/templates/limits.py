"""Limits of a chat template for one conversation. Real ones need milliseconds and a few megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Limits:
    """cpu_seconds: processor time to compile a template or to render one conversation. A label run renders thousands;
    at five seconds each, a thousand prompts take longer than an hour on any machine.

    wall_seconds: time until waiting ends, for a process that waits instead of working (a machine that swaps, a stopped
    process): far more than cpu_seconds takes even if twenty processes share each core. memory_bytes: memory of the
    process, the interpreter's own 30 MB included. characters: length of a rendered conversation: what a context of a
    million tokens holds, at four characters each.
    """

    cpu_seconds: float = 5.0
    wall_seconds: float = 120.0
    memory_bytes: int = 512 << 20
    characters: int = 4 << 20


class Request(TypedDict, total=False):
    """A template to compile, or the values of a conversation for the last one."""

    template: str
    values: dict[str, object]


class Answer(TypedDict, total=False):
    """The answer of the process under these limits: text and clock (whether the text contains the date), or the reason:
    refused, and a kind as in ``zoo.templates.rendering.Refusal``."""

    text: str
    clock: bool
    refused: str
    kind: str
