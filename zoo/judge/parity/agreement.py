"""Whether the logits of both sides agree: over positions, each in units of its own noise (see ``distance``)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from zoo.judge.parity.check import Check
from zoo.judge.parity.distance import (
    CAP,
    MOST_BEYOND,
    MOST_MEAN,
    Figures,
    engine_allowance,
    figures,
    relative_errors,
)
from zoo.judge.parity.seen import Distances, Logits, Seen


def logits(folder: Seen, file: Seen, exact: Sequence[Distances], longest_row: int) -> Check:
    """Every position of every text; the tokens are those of the folder's tokenizer on both sides.

    exact: distances of the file computed in float32, text by text. longest_row: numbers in the file's longest row.
    """
    for ours, theirs in zip(folder.logits, file.logits, strict=True):
        if ours.shape != theirs.shape:
            said = (
                f"The vocabulary has {ours.shape[1]} tokens in the folder and {theirs.shape[1]} in the file."
            )
            return Check("logits", False, said)
    stored = [relative_errors(ours, theirs) for ours, theirs in zip(folder.logits, file.logits, strict=True)]
    sides = {
        "in float32": figures(exact, folder.noise),
        "as it is stored": figures(stored, folder.noise, engine_allowance(longest_row)),
    }
    measured = {key: _rounded(one) for key, one in zip(("float32", "stored"), sides.values(), strict=True)}
    for how, one in sides.items():
        if not one.sound:
            found, finite = _refusal(folder, file, how, one), math.isfinite(one.worst.distance)
            return Check("logits", False, found, figures=measured, finite=finite)
    wide, own = sides.values()
    said = f"Computed in float32, the logits of {wide.positions} positions are {wide.mean_ratio:.2g} times as far from "
    said += f"the folder's as rounding moves those (at most {MOST_MEAN:g}); as the file is stored "
    said += f"{_times(own):.2g} times (at most {own.allowance:.2g})."
    return Check("logits", True, said, figures=measured)


def _refusal(folder: Seen, file: Seen, how: str, found: Figures) -> str:
    worst = found.worst
    ours, theirs = (side.logits[worst.text][worst.token] for side in (folder, file))
    name = folder.named(folder.texts[worst.text][worst.token])
    said = f"Text {worst.text + 1}, token {worst.token} ({name}): the logits differ by {_percent(worst.distance)}, "
    said += f"while rounding moves them by {_percent(worst.own_noise)} in the folder; "
    said += f"{_tops(folder, file, ours, theirs)}. Over {found.positions} positions of the file {how}, the logits "
    said += f"differ by {_mean(found.mean_ratio, found)} what rounding does ({_mean(max(found.text_ratios), found)} in "
    said += f"the worst text; at most {MOST_MEAN * found.allowance:.2g} times is allowed). "
    said += f"{_percent(found.share_beyond)} of the "
    said += f"positions differ by more than {CAP * found.allowance:.2g} times (at most {_percent(MOST_BEYOND)} may)."
    return said


def _mean(ratio: float, found: Figures) -> str:
    """A mean of ratios for people. No position counts for more than CAP, so a mean of CAP is a lower bound."""
    return f"{'more than ' * (ratio >= CAP)}{ratio * found.allowance:.2g} times"


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "an infinite amount"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _times(found: Figures) -> float:
    """Mean ratio in own noises."""
    return found.mean_ratio * found.allowance


def _rounded(found: Figures) -> dict[str, object]:
    """For the evidence, to three digits: more would differ between two runs with another number of threads."""

    def short(value: object) -> object:
        if isinstance(value, float):
            return float(f"{value:.3g}")
        if isinstance(value, dict):
            return {key: short(item) for key, item in value.items()}
        return [short(item) for item in value] if isinstance(value, tuple) else value

    return {key: short(value) for key, value in dataclasses.asdict(found).items()}


def _tops(folder: Seen, file: Seen, ours: Logits, theirs: Logits) -> str:
    one, other = int(np.argmax(ours)), int(np.argmax(theirs))
    said = f"the most probable next token is {folder.named(one)} in "
    return said + ("both" if one == other else f"{folder.side}, {file.named(other)} in {file.side}")
