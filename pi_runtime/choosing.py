"""Which file of a model, and which model, to recommend for a device: the rules of the catalog's pages again. Pure.

A file fits if its predicted memory is within the device's free memory; it is tight if it takes more than ROOMY_SHARE
of it. A file that failed the smoke test is never the answer. Of the files that leave room to spare and write as fast
as people read, the smallest whose loss a reader is unlikely to notice is chosen; else the one with the lowest loss; if
none is that fast, the fastest good one. Between models the tier decides, then the speed. A test of the project compares
every answer with ``zoo.choose``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pi_runtime import arithmetic
from pi_runtime.arithmetic import Decode, Parts
from pi_runtime.catalogue import File, Release
from pi_runtime.profiles import Profile, sisters
from pi_runtime.ranking import Ranked

READING = 5.0
"""Tokens per second: as fast as people read."""

ROOMY_SHARE = 0.85
LOSS_LIMIT = 0.1
TOLERANCE_KLD, TOLERANCE_TOP = 0.02, 0.9
SLOWER_SHARE = 0.9
LEVELS = ((True, True), (True, False), (False, True), (False, False))
"""Room to spare, and the speed that is asked for: from the best to the last resort."""


@dataclass(frozen=True)
class Wish:
    """What a file is wanted for. some: every profile. least: tokens per second that it must reach."""

    profile: Profile
    some: Sequence[Profile]
    context_tokens: int
    kv: str = "f16"
    least: float | None = None

    def within(self, release: Release) -> Wish:
        """The same wish, with no longer context than the model's own."""
        return replace(self, context_tokens=max(1, min(self.context_tokens, release.context_tokens)))

    @property
    def quick(self) -> float:
        return READING if self.least is None else self.least

    @functools.cached_property
    def sisters(self) -> tuple[str, ...]:
        return sisters(self.profile, self.some)


@dataclass(frozen=True)
class Candidate:
    """A file with what it needs and how fast it is on the device."""

    file: File
    need: Parts | None
    decode: Decode

    @property
    def good(self) -> bool:
        """Whether it passed the smoke test and stays close to its source."""
        return self.file.passed and (self.file.kld is None or self.file.kld <= LOSS_LIMIT)

    def fits(self, wish: Wish, share: float = 1.0) -> bool:
        return self.need is not None and self.need.total <= share * wish.profile.free_bytes


@dataclass(frozen=True)
class Offer:
    """The recommended file of a model. roomy, quick: its level."""

    ranked: Ranked
    candidate: Candidate
    roomy: bool
    quick: bool


def candidates(release: Release, wish: Wish) -> list[Candidate]:
    """Every file of a release."""
    asked = wish.profile, wish.context_tokens
    return [
        Candidate(
            file,
            arithmetic.need(file, release, wish.context_tokens, wish.kv),
            arithmetic.decode(file, release, *asked, wish.sisters, wish.kv),
        )
        for file in release.files
    ]


def pick(release: Release, wish: Wish) -> tuple[Candidate, bool, bool] | None:
    """The recommended file, whether it leaves room to spare, and whether it is fast enough; None if none is usable."""
    every = candidates(release, wish)
    filled = [(level, some) for level in levels(wish) if (some := _at(level, every, wish))]
    if not filled:
        return None
    level, some = next((one for one in filled if any(c.good for c in one[1])), filled[0])
    return _chosen(level, some, release, wish), *level


def choose(ranked: Sequence[Ranked], wish: Wish) -> list[Offer]:
    """The answers of a catalog, the best first. Experimental models and those no better than guessing are skipped."""
    some = [one for one in ranked if not one.model.experimental and not one.at_chance]
    some = [one for one in some if wish.context_tokens <= one.release.context_tokens]
    standings = [(one, *_standing(one.release, wish)) for one in some]
    for roomy, quick in levels(wish):
        fit = [(one, speed) for one, room, tight, _ in standings if (speed := room if roomy else tight) > 0]
        fit = [(one, speed) for one, speed in fit if speed >= wish.quick or not quick]
        if fit:
            fit.sort(key=lambda pair: (pair[0].tier if quick else 0, -pair[1]))
            return [_offer(one, wish) for one, _ in fit]
    return [_offer(one, wish) for one, _, _, poor in standings if poor and pick(one.release, wish)]


def levels(wish: Wish) -> tuple[tuple[bool, bool], ...]:
    return LEVELS if wish.least is None else tuple(level for level in LEVELS if level[1])


def _offer(one: Ranked, wish: Wish) -> Offer:
    found = pick(one.release, wish)
    assert found
    return Offer(one, *found)


def _standing(release: Release, wish: Wish) -> tuple[float, float, bool]:
    """Speed of the fastest good file with room to spare, of the fastest that fits, and whether another file fits."""
    every = [one for one in candidates(release, wish) if one.fits(wish)]
    good = [one for one in every if one.good]
    roomy = [one.decode.typical for one in good if one.fits(wish, ROOMY_SHARE)]
    poor = any(one.file.passed and not one.good for one in every)
    return max(roomy, default=0.0), max((one.decode.typical for one in good), default=0.0), poor


def _at(level: tuple[bool, bool], every: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    roomy, quick = level
    share = ROOMY_SHARE if roomy else 1.0
    some = [one for one in every if one.file.passed and one.fits(wish, share)]
    return [one for one in some if one.decode.typical >= wish.quick] if quick else some


def _chosen(level: tuple[bool, bool], some: Sequence[Candidate], release: Release, wish: Wish) -> Candidate:
    files = [one.file for one in some]
    measured = {file.path: _speeds(file, release, wish.some) for file in files}
    here = _beaten(files, measured, wish.profile.id)
    left = [one for one in some if one.file.path not in here]
    good = [one for one in left if one.good]
    if not level[1] and good:
        return min(good, key=lambda one: (-one.decode.typical, *_by_loss(one.file)))
    best = min((one.file for one in left), key=_by_loss)
    file = _smallest_alike(best, [one.file for one in left], _beaten(files, measured, None))
    return next(one for one in left if one.file is file)


def _smallest_alike(best: File, left: Sequence[File], beaten: set[str]) -> File:
    """The smallest file within the tolerance, else the smallest of those that are as good as the best."""
    valid = [file for file in left if file.path not in beaten]
    tolerable = [
        f for f in valid if f.kld is None or (f.kld <= TOLERANCE_KLD and f.same_top >= TOLERANCE_TOP)
    ]
    alike = tolerable or [f for f in valid if not _worse(f, best) and (_is_good(f) or not _is_good(best))]
    return min(alike, key=lambda f: (f.size_bytes, *_by_loss(f)), default=best)


def _is_good(file: File) -> bool:
    return file.passed and (file.kld is None or file.kld <= LOSS_LIMIT)


Measured = dict[tuple[str, int], float]


def _beaten(files: Sequence[File], measured: Mapping[str, Measured], only: str | None) -> set[str]:
    """Paths of files with a higher loss than another one that is no larger, or was measured as clearly faster."""
    return {
        file.path
        for file in files
        if any(_worse(file, other) and _beats(other, file, measured, only) for other in files)
    }


def _beats(other: File, file: File, measured: Mapping[str, Measured], only: str | None) -> bool:
    if file.size_bytes >= other.size_bytes:
        return True
    mine, theirs = measured[file.path], measured[other.path]
    both = [key for key in mine.keys() & theirs.keys() if only in (None, key[0])]
    return any(mine[key] < SLOWER_SHARE * theirs[key] for key in both)


def _speeds(file: File, release: Release, some: Sequence[Profile]) -> Measured:
    """(device, threads) -> the best valid speed, without those that a known device's memory cannot reach."""
    found: Measured = {}
    known = {one.id: one for one in some}
    for speed in file.speeds:
        profile, key = known.get(speed.device), (speed.device, speed.threads)
        bound = arithmetic.roof(file, release, profile) if profile else None
        if speed.valid and not (bound is not None and speed.decode > bound):
            found[key] = max(speed.decode, found.get(key, 0.0))
    return found


def _worse(file: File, other: File) -> bool:
    """Whether the loss of ``file`` is higher than that of ``other``, beyond both errors."""
    if file.kld is None:
        return False
    error = file.kld_error + (other.kld_error if other.kld is not None else 0.0)
    return file.kld - (other.kld or 0.0) > error


def _by_loss(file: File) -> tuple[float, int, str]:
    return file.kld or 0.0, file.size_bytes, file.path
