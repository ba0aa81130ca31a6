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
from zoo.choose.domination import loss_words, quality_words, worse

BROKEN = "It failed the smoke test."


@dataclass(frozen=True)
class Chosen:
    """What is explained. best: the file with the lowest loss. usable: the files to choose from, of all in ``every``."""

    candidate: Candidate
    best: ModelFile
    usable: Sequence[Candidate]
    every: Sequence[Candidate]
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
    one, file, best = found.candidate, found.candidate.file, found.best
    start, such = _slow(found, wish), _such(found, wish)
    if start and one.good:
        return f"{start}{file.path} is the fastest that stays close to its source: {quality_words(file)}"
    listed = ", ".join(single for single, _ in such)
    if len(found.usable) == 1:
        words = joined([single for single, _ in such])
        return f"{start}{file.path} is the only file that {words}: {quality_words(file)}"
    if file is not best and tolerance.holds(file):
        return (
            f"{start}{file.path} is the smallest file that {listed}, is not beaten by another file, and is so close to "
            f"its source that you are unlikely to notice a difference: {quality_words(file)} "
            f"(limits: {tolerance.words})"
        )
    if file is not best:
        return (
            f"{start}{file.path} is the smallest file that {listed}, is not beaten by another file, and has the lowest "
            f"loss within the errors: {loss_words(file)} against {loss_words(best)} of {best.path}"
        )
    several = f"{len(found.usable)} files that {joined([plural for _, plural in such])}"
    return f"{start}{file.path} has the lowest loss of the {several}: {quality_words(file)}"


def _slow(found: Chosen, wish: Wish) -> str:
    """That no file is fast enough, if that is so."""
    if found.level.quick:
        return ""
    such = [single for single, _ in _such(found, wish)]
    if any(one.quick(wish) for one in found.usable):
        such.append("stays close to its source")
    return f"No file of this model that {joined(such)} reaches {target(wish.least)}. "


def _such(found: Chosen, wish: Wish) -> list[tuple[str, str]]:
    """What the files to choose from have in common, each said of one and of several. Nothing is left out for which
    another file was ruled out."""
    level, one = found.level, found.candidate
    others = [c for c in found.every if c not in found.usable and (c.fits(wish) or c.need_bytes is None)]
    if level.quick:
        others = [c for c in others if c.quick(wish)]
    elif one.good:
        others = [c for c in others if c.typical > one.typical]
    such = []
    known = [c for c in others if c.need_bytes is not None]
    if any(not c.sound for c in known):
        such.append(("passed the smoke test", "passed the smoke test"))
    room = " with room to spare" if any(c.sound for c in known) else ""
    such.append((f"fits{room}", f"fit{room}"))
    if len(known) < len(others):
        such[-1] = f"is known to fit{room}", f"are known to fit{room}"
    if level.quick and wish.least != ANY_SPEED:
        such.append((f"reaches {target(wish.least)}", f"reach {target(wish.least)}"))
    return such


def joined(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


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
