"""The files of a release for one question: what they need, how fast they are, and which of them count. Pure.

A file fits if its predicted memory and the device's reserve are within the device's memory. A file that takes nearly
all of the rest is tight, and is recommended only where nothing else is. A file that failed the smoke test is never
recommended. Unless somebody asks for a speed, files that write as fast as people read come first.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from catalog.memory import KV_TYPE
from catalog.release import Architecture, ModelFile
from catalog.words import nats
from zoo.choose import roofline, speeds
from zoo.choose.speeds import DecodeSpeed

READING = 5.0
"""Tokens per second. People read 200 to 300 words a minute, four to seven tokens per second."""

ANY_SPEED = math.ulp(0.0)
"""A minimum speed that every file reaches."""

ROOMY_SHARE = 0.85
"""A file that needs more than this share of a device's free memory is tight: a browser or an update would end it. A
choice of this project."""

LOSS_LIMIT = 0.1
"""Mean KLD in nats. A file with a higher one no longer behaves much like its source. A choice of this project."""


@dataclass(frozen=True)
class Tolerance:
    """A loss that a reader is unlikely to notice: mean KLD in nats at most, share of same top tokens at least."""

    kld_mean_nats: float
    same_top_share: float = 0.0

    def holds(self, file: ModelFile) -> bool:
        """Whether the loss of ``file`` is within the tolerance; the loss of the reference always is."""
        if file.loss is None:
            return True
        return (
            file.loss.kld_mean_nats <= self.kld_mean_nats and file.loss.same_top_share >= self.same_top_share
        )

    @property
    def words(self) -> str:
        top = f"at least {100 * self.same_top_share:g} % same next word and a " * (self.same_top_share > 0)
        return f"{top}mean KLD of at most {nats(self.kld_mean_nats)} nats"


@dataclass(frozen=True)
class Wish:
    """What a file is wanted for. least: tokens per second that it must reach; None prefers READING. kv: the type of the
    cache, a key of ``memory.KV_TYPES``."""

    device: Device
    context_tokens: int
    least: float | None = None
    kv: str = KV_TYPE

    @functools.cached_property
    def is_usual(self) -> bool:
        """Whether it is for a device that has a profile, and for the usual type of the cache."""
        return self.kv == KV_TYPE and devices.find(self.device.id) is self.device

    @property
    def quick(self) -> float:
        """Tokens per second that are asked for or preferred."""
        return READING if self.least is None else self.least


@dataclass(frozen=True)
class Candidate:
    """A file to consider. Its speed is computed only when needed: most files of most models do not fit.

    ``typical`` is that of ``speed`` without the rest.
    """

    file: ModelFile
    need_bytes: int | None
    look: Callable[[], DecodeSpeed]
    look_briefly: Callable[[], float]

    @functools.cached_property
    def typical(self) -> float:
        return self.look_briefly()

    @functools.cached_property
    def speed(self) -> DecodeSpeed:
        return self.look()

    @property
    def good(self) -> bool:
        """Whether it works as a chat model and stays close to its source."""
        return is_good(self.file)

    @property
    def sound(self) -> bool:
        """Whether it passed the smoke test."""
        return self.file.smoke_passed

    def fits(self, wish: Wish) -> bool:
        return self.need_bytes is not None and self.need_bytes <= wish.device.free_bytes

    def roomy(self, wish: Wish) -> bool:
        """Whether it leaves room to spare."""
        return self.need_bytes is not None and self.need_bytes <= ROOMY_SHARE * wish.device.free_bytes

    def quick(self, wish: Wish) -> bool:
        return self.typical >= wish.quick


class Level(NamedTuple):
    """What the files to choose from have in common: room to spare, and the speed that is asked for."""

    roomy: bool
    quick: bool


LEVELS = (Level(True, True), Level(True, False), Level(False, True), Level(False, False))
"""From the best to the last resort. Only the quick ones count for somebody who asks for a speed."""


def is_good(file: ModelFile) -> bool:
    """Whether a file passes the smoke test and has a KLD of at most LOSS_LIMIT."""
    return file.smoke_passed and (file.loss is None or file.loss.kld_mean_nats <= LOSS_LIMIT)


def of(files: Sequence[ModelFile], architecture: Architecture, wish: Wish) -> list[Candidate]:
    """The files of a release as candidates."""
    return [_candidate(file, architecture, wish) for file in files]


def _candidate(file: ModelFile, architecture: Architecture, wish: Wish) -> Candidate:
    need = need_bytes(file, architecture, wish.context_tokens, wish.kv)
    asked = file, architecture, wish.device, wish.context_tokens, wish.kv
    return Candidate(file, need, lambda: speeds.speed_of(*asked), lambda: speeds.typical(*asked))


def need_bytes(
    file: ModelFile, architecture: Architecture, context_tokens: int, kv: str = KV_TYPE
) -> int | None:
    """Predicted memory at that context: as the catalog lists it, else by the same formula; None if not known."""
    cache = roofline.cache_of(file, architecture)
    for need in file.memory:
        if need.context_tokens == context_tokens:
            if cache is None or kv == KV_TYPE:
                return need.bytes if kv == KV_TYPE else None
            plain, small = (memory.cache_bytes(cache, context_tokens, one) for one in (KV_TYPE, kv))
            return need.bytes - plain + small
    if cache is None:
        return None
    logits = memory.logits_bytes(architecture.vocabulary_size, context_tokens)
    return file.size_bytes + memory.cache_bytes(cache, context_tokens, kv) + logits


class Parts(NamedTuple):
    """What a file takes of a device's memory, in bytes; together they are all of it. free may be negative."""

    system: int
    weights: int
    cache: int
    buffer: int
    free: int


def memory_parts(file: ModelFile, architecture: Architecture, need: int, wish: Wish) -> Parts:
    """need: bytes that the file needs in all. Each part that a listed need does not name is the cache."""
    logits = memory.logits_bytes(architecture.vocabulary_size, wish.context_tokens)
    buffer = min(logits, need - file.size_bytes)
    cache = need - file.size_bytes - buffer
    return Parts(wish.device.reserve_bytes, file.size_bytes, cache, buffer, wish.device.free_bytes - need)


def at(level: Level, candidates: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    """The candidates of a level, those of better levels included; none that failed the smoke test."""
    room = [one for one in candidates if one.sound and (one.roomy(wish) if level.roomy else one.fits(wish))]
    return [one for one in room if one.quick(wish)] if level.quick else room


def levels(wish: Wish) -> tuple[Level, ...]:
    """The levels that count for a question, the best first."""
    return LEVELS if wish.least is None else tuple(level for level in LEVELS if level.quick)


def usable(candidates: Sequence[Candidate], wish: Wish) -> tuple[Level, list[Candidate]] | None:
    """The first level with a good file, else the first with any file, and its candidates; None if there is none."""
    found = list(_filled(candidates, wish))
    return next((one for one in found if any(c.good for c in one[1])), found[0] if found else None)


def _filled(candidates: Sequence[Candidate], wish: Wish) -> Iterator[tuple[Level, list[Candidate]]]:
    for level in levels(wish):
        some = at(level, candidates, wish)
        if some:
            yield level, some
