"""Why a file of a release is recommended, and why the others are not, in sentences with their numbers. Pure.

``site/assets/core.js`` writes the same sentences; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.device import Device
from catalog.release import ModelFile
from catalog.words import counted, data_size, rate
from zoo.choose.candidates import ANY_SPEED, READING, Candidate, Level, Tolerance, Wish
from zoo.choose.domination import loss_words, worse

BROKEN = "It failed the smoke test."


@dataclass(frozen=True)
class Chosen:
    """What is explained. best: the file with the lowest loss; usable: how many files were to choose from."""

    candidate: Candidate
    best: ModelFile
    usable: int
    level: Level


def target(least: float | None) -> str:
    """``10.00 tokens/s``; None asks for reading speed."""
    return f"reading speed ({READING:g} tokens/s)" if least is None else f"{rate(least)} tokens/s"


def free(device: Device) -> str:
    return f"the {data_size(device.free_bytes)} that {device.name} has free for a model"


def rejected(one: Candidate, wish: Wish, level: Level) -> str:
    """Why a file is not considered."""
    if too_big := _too_big(one, wish):
        return too_big
    if not one.sound:
        return BROKEN
    return _too_slow(one, wish) if level.quick and not one.quick(wish) else _tight(one, wish)


def _too_big(one: Candidate, wish: Wish) -> str | None:
    need = one.need_bytes
    if need is None:
        return "Its memory need is not known: the catalog does not record the size of its KV cache."
    if one.fits(wish):
        return None
    return (
        f"It does not fit: it needs a predicted {data_size(need)} at {wish.context_tokens:,} tokens of context, "
        f"{data_size(need - wish.device.free_bytes)} more than {free(wish.device)}."
    )


def _too_slow(one: Candidate, wish: Wish) -> str:
    short = rate(wish.quick - one.speed.typical)
    return f"It is too slow: {one.speed.words}, {short} below {target(wish.least)}."


def _tight(one: Candidate, wish: Wish) -> str:
    left = wish.device.free_bytes - (one.need_bytes or 0)
    return f"It fits, but it is tight: it leaves {data_size(left)} of {free(wish.device)}."


def nothing(candidates: Sequence[Candidate], wish: Wish) -> str:
    """Why no file is usable, and by how much the nearest misses."""
    device = wish.device
    sound = [c for c in candidates if c.sound]
    if not sound:
        return _all_broken(candidates)
    passed = "" if len(sound) == len(candidates) else " that passed the smoke test"
    known = [c for c in sound if c.need_bytes is not None]
    fitting = [c for c in known if c.fits(wish)]
    if fitting:
        fastest = max(fitting, key=lambda c: c.speed.typical)
        short = f"{rate(wish.quick - fastest.speed.typical)} below {target(wish.least)}"
        verb = "fits" if len(fitting) == 1 else "fit"
        return (
            f"{counted(len(fitting), 'file')}{passed} {verb} on {device.name}, but none is fast enough. The fastest is "
            f"{fastest.file.path}: {fastest.speed.words}, {short}."
        )
    if not known:
        return f"It is not known whether a file{passed} fits on {device.name}: the catalog records no memory need."
    least_need = min(known, key=lambda c: (c.need_bytes or 0, c.file.path))
    need = least_need.need_bytes or 0
    return (
        f"No file{passed} fits on {device.name}. {least_need.file.path} needs the least memory: a predicted "
        f"{data_size(need)} at {wish.context_tokens:,} tokens of context, {data_size(need - device.free_bytes)} more "
        f"than {free(device)}."
    )


def _all_broken(candidates: Sequence[Candidate]) -> str:
    if len(candidates) == 1:
        return f"The only file of this model, {candidates[0].file.path}, failed the smoke test."
    return f"All {len(candidates):,} files of this model failed the smoke test."


def chosen(found: Chosen, wish: Wish, tolerance: Tolerance) -> str:
    """Why this file."""
    one, level = found.candidate, found.level
    parts = [_choice(found, wish, tolerance)]
    need = data_size(one.need_bytes or 0)
    fits = f"It needs a predicted {need} at {wish.context_tokens:,} tokens of context"
    if level.roomy:
        parts.append(f"{fits}, less than {free(wish.device)}")
    else:
        left = data_size(wish.device.free_bytes - (one.need_bytes or 0))
        parts.append(f"{fits}, which is tight: it leaves {left} of {free(wish.device)}")
    parts.append(f"Decode speed: {one.speed.words}")
    return ". ".join(parts) + "."


def _choice(found: Chosen, wish: Wish, tolerance: Tolerance) -> str:
    file, best = found.candidate.file, found.best
    reach = "" if wish.least == ANY_SPEED else target(wish.least)
    fits = f"fits, reaches {reach}" if reach else "fits"
    if not found.level.quick:
        slow = f"No file of this model that fits reaches {target(wish.least)}. {file.path} is the fastest"
        return f"{slow} that stays close to its source: {loss_words(file)}"
    if found.usable == 1:
        only = f"fits and reaches {reach}" if reach else "fits"
        return f"{file.path} is the only file that {only}: {loss_words(file)}"
    if file is not best and tolerance.holds(file):
        return (
            f"{file.path} is the smallest file that {fits}, is not beaten by another file, and is so close to its "
            f"source that you are unlikely to notice a difference: {loss_words(file)}, "
            f"and its most probable next token is the same in {100 * _same_top(file):.1f} % of cases (limits: "
            f"{tolerance.words})"
        )
    if file is not best:
        return (
            f"{file.path} is the smallest file that {fits}, is not beaten by another file, and has the lowest loss "
            f"within the errors: {loss_words(file)} against {loss_words(best)} of {best.path}"
        )
    fit = f"fit and reach {reach}" if reach else "fit"
    return f"{file.path} has the lowest loss of the {found.usable} files that {fit}: {loss_words(file)}"


def compared(candidate: Candidate, taken: ModelFile) -> str:
    """How a runner-up compares with the recommended file."""
    file = candidate.file
    difference = file.size_bytes - taken.size_bytes
    size = (
        f"{data_size(abs(difference))} {'larger' if difference > 0 else 'smaller'} than the recommended file"
    )
    if not difference:
        size = "the same size as the recommended file"
    if worse(file, taken):
        loss = "higher"
    elif worse(taken, file):
        loss = "lower"
    else:
        loss = "the same within the errors"
    words = f"Its loss is {loss}: {loss_words(file)} against {loss_words(taken)}. It is {size}"
    return f"{words}. Decode speed: {candidate.speed.words}."


def _same_top(file: ModelFile) -> float:
    return file.loss.same_top_share if file.loss else 1.0
