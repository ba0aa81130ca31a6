"""Why a model is the answer, and why others are not, in sentences with their numbers. Pure.

``site/assets/core.js`` writes the same sentences; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from zoo.choose import candidates, reasons
from zoo.choose.candidates import LOSS_LIMIT, Level, Wish
from zoo.choose.pick import Pick
from zoo.choose.ranking import Ranked, Share, standing_words

EXPERIMENTAL = "Its owners call it experimental."
BROKEN = "Each of its files that fit failed the smoke test."


class Aim(NamedTuple):
    """The task and the language that somebody asks for; None is any."""

    task: str | None
    language: str | None

    @property
    def words(self) -> str:
        """`` for chat in en``."""
        task = f" for {self.task}" if self.task else ""
        return task + (f" in {self.language}" if self.language else "")


@dataclass(frozen=True)
class Answer:
    """What is explained. level: None if no file is good. equal: models that the tests cannot tell apart from it."""

    ranked: Ranked
    level: Level | None
    asked: int
    equal: int


def answer(wish: Wish, aim: Aim, found: Answer) -> str:
    """Why this model."""
    name, level = found.ranked.entry.name, found.level
    standing = standing_words(found.ranked)
    fits = ["fits"]
    if level is None or level.quick:
        fits.append(f"reaches {reasons.target(wish.least)}")
    if level is None:
        fits = ["fits"] if wish.least is None else fits
        file = f"a file that {reasons.joined(fits)}"
        end = f" No such file has a KLD of at most {LOSS_LIMIT:g} nats."
    else:
        fits.append("stays close to its source")
        file = f"a file that {reasons.joined(fits)} (KLD of at most {LOSS_LIMIT:g} nats)"
        end = "" if level.roomy else " No such file leaves room to spare."
    start = "" if level is None or level.quick else _slow(wish)
    if found.asked == 1:
        only = f"the only model{aim.words} that this catalog recommends"
        return f"{start}{name} is {only} ({standing}). It has {file}.{end}"
    what = "the best one with" if level is None or level.quick else "the fastest one with"
    return f"{start}Of the {found.asked:,} models{aim.words}, {name} is {what} {file}: {standing}.{_equal(found)}{end}"


def _slow(wish: Wish) -> str:
    return f"No good file reaches {reasons.target(wish.least)} on {wish.device.name}. "


def _equal(found: Answer) -> str:
    if not found.equal or found.level is None or not found.level.quick:
        return ""
    others = "one other model" if found.equal == 1 else f"{found.equal:,} other models"
    return f" The tests cannot tell it apart from {others} with such a file; it is the fastest of them."


def none(wish: Wish, aim: Aim, every: Sequence[Ranked]) -> str:
    """Why there is no answer."""
    asked = [one for one in every if not one.entry.experimental]
    start = f"There is no good model{aim.words} yet. The nearest is"
    for one in asked:
        standing = one.entry.standing(wish) if one.at_chance else None
        if one.share and standing and (standing.fitting or standing.poor):
            return f"{start} {one.entry.name}. {chance(one.share)}"
    for one in asked:
        standing = one.entry.standing(wish)
        if standing and standing.broken and not (standing.fitting or standing.poor):
            return f"{start} {one.entry.name}. {BROKEN}"
    if every[len(asked) :]:
        return f"{start} {every[len(asked)].entry.name}. {EXPERIMENTAL}"
    if not asked:
        return f"The catalog has no model{aim.words}."
    subject = "The only model" if len(asked) == 1 else f"None of the {len(asked):,} models"
    file = "has no file that fits" if len(asked) == 1 else "has a file that fits"
    if wish.least is not None:
        file += f" and reaches {reasons.target(wish.least)}"
    return f"{subject}{aim.words} {file} on {wish.device.name} at {wish.context_tokens:,} tokens of context."


def chance(share: Share) -> str:
    """That a model is no better than guessing."""
    return (
        f"It answered {share.correct:,} of {share.total:,} test questions correctly, and guessing gives about "
        f"{share.by_guessing:,.0f}."
    )


def skipped(one: Ranked, wish: Wish) -> tuple[str, Pick | None]:
    """Why a model was skipped, and its pick; no pick if the context is too long for it."""
    entry = one.entry
    context, longest = wish.context_tokens, entry.release.architecture.context_tokens
    pick = entry.pick(wish) if context <= longest else None
    if entry.experimental:
        return EXPERIMENTAL, pick
    if pick is None:
        return f"Its context is at most {longest:,} tokens; you asked for {context:,}.", None
    file = pick.file
    if file is None or pick.level is None:
        return pick.reason, pick
    if one.share and one.at_chance:
        return chance(one.share), pick
    start = f"Its best usable file, {file.path},"
    if file.loss and not candidates.is_good(file):
        lost = f"{file.loss.kld_mean_nats:.4f} nats, more than the limit of {LOSS_LIMIT:g}"
        return f"{start} has a mean KLD of {lost}.", pick
    return pick.reason, pick


def miss(one: Ranked, wish: Wish) -> tuple[bool, float]:
    """Sort key of models that were skipped: by which factor the model misses the nearest thing that is asked for."""
    entry = one.entry
    context, longest = wish.context_tokens, entry.release.architecture.context_tokens
    if entry.experimental:
        return True, 0.0
    if context > longest:
        return False, context / max(longest, 1)
    factors = [math.inf]
    for each in candidates.of(entry.release.files, entry.release.architecture, wish):
        if each.need_bytes is not None:
            room = each.need_bytes / max(candidates.ROOMY_SHARE * wish.device.free_bytes, 1.0)
            pace = wish.quick / each.typical if room <= 1 and each.typical > 0 else 1.0
            factors.append(max(room, pace, 1.0))
    return False, min(factors)
