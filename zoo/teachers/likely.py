"""What a server says of the tokens of a prompt, checked before anything of it is learnt. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.teachers.dialects import Place

MOST_SUM = 1.001
"""Of probabilities: float32 is off by some millionths. A larger sum is not one of probabilities."""
RESOLVED = 1e-6
"""The sum of the k probabilities is known to this: float32 has steps of 6e-8 below 1, relative to every term. A smaller
rest cannot be distinguished from none."""
NOTHING_NATS = -9_000.0
"""vLLM writes a probability of 0 as -9999, because JSON has no infinity."""
SAME_NATS = 1e-3
"""A token's own log-probability and the one in the list are the same number; a server may round one of them."""
WIDER = 1.05
"""A teacher's head may have more rows than its vocabulary has tokens: 50,304 for GPT-NeoX's 50,277."""
MOVED_NATS = 0.5
"""An answer after another token has other probabilities than this or other tokens; the steps of 16 bits are an eighth
of it."""
SAME_SHARE = 0.1
"""Probability by which two answers to one question may differ: a server in 16 bits has steps of 0.06 nats at a logit of
16, which move 3 % of the probability. After another token nearly all of it moves."""


@dataclass(frozen=True)
class Top:
    """The most probable tokens at a position, in descending order, and all others together, in nats."""

    ids: tuple[int, ...]
    logps: tuple[float, ...]
    tail_logp: float


class Unfit(ValueError):
    """What came cannot be learnt from, whatever is asked next; the text gives the reason, for people."""


class OtherCount(Unfit):
    """It is of another number of tokens than was asked for."""


def tops(places: Sequence[Place], tokens: Sequence[int], top_k: int, vocabulary: int) -> list[Top]:
    """The answers at the places of ``tokens``, each with ``top_k`` tokens. Raises Unfit."""
    if len(places) != len(tokens):
        raise Unfit(f"it gave {len(places)} places where the prompt has {len(tokens)}")
    for place, token in zip(places, tokens, strict=True):
        if place.token != token:
            raise Unfit(
                f"its places are shifted, or it read another prompt: token {place.token} is where {token} was sent"
            )
    return [_top(place, top_k, vocabulary) for place in places]


def _top(place: Place, top_k: int, vocabulary: int) -> Top:
    """The token of the prompt itself is left out if it is one more than the k."""
    if not top_k <= len(place.best) <= top_k + (place.token in place.best):
        raise OtherCount(f"it gave {len(place.best)} tokens of a place where {top_k} were asked for")
    for token, logp in place.best.items():
        if not 0 <= token < vocabulary:
            raise Unfit(f"it has token {token}, but the student's vocabulary has {vocabulary} tokens")
        if not logp <= 0:
            raise Unfit(f"it gave {logp:g} as a log-probability, which is at most 0")
    order = sorted(place.best.items(), key=lambda pair: (-pair[1], pair[0]))[:top_k]
    ids, logps = zip(*order, strict=True)
    known = place.best.get(place.token)
    if (abs(known - place.logp) if known is not None else place.logp - logps[-1]) > SAME_NATS:
        raise Unfit("the most probable tokens of a place are not those of the prompt's token there")
    found = tuple(logp if logp > NOTHING_NATS else -math.inf for logp in logps)
    tail = _tail(found)
    # None of the others is more probable than the last one here.
    if math.exp(tail) > WIDER * vocabulary * math.exp(found[-1]) + RESOLVED:
        raise Unfit("its probabilities of a place are too small: all other tokens together cannot have the rest")
    return Top(ids, found, tail)


def _tail(logps: Sequence[float]) -> float:
    total = math.fsum(map(math.exp, logps))
    if total > MOST_SUM:
        raise Unfit(f"its probabilities of a place add up to {total:.3f}")
    return math.log1p(-total) if total < 1 - RESOLVED else -math.inf


def is_moved(one: Top, other: Top) -> bool:
    """Whether two answers are after other tokens: their tokens are others, or their probabilities."""
    mine, theirs = (dict(zip(top.ids, top.logps, strict=True)) for top in (one, other))
    known = mine.keys() & theirs.keys()
    if 2 * len(known) < len(mine):
        return True
    # Both may be minus infinity.
    return any(mine[token] != theirs[token] and abs(mine[token] - theirs[token]) > MOVED_NATS for token in known)


def refuse_later(one: Top, other: Top) -> None:
    """Raise Unfit if two answers after the same tokens differ: then each of them has also seen the token that it should
    predict, the only one that was not the same."""
    pairs = [dict(zip(top.ids, map(math.exp, top.logps), strict=True)) for top in (one, other)]
    known = pairs[0].keys() & pairs[1].keys()
    least = [math.exp(top.logps[-1]) for top in (one, other)]
    moved = sum(abs(pairs[0][token] - pairs[1][token]) for token in known)
    # A token that only one of both names has at most the other's least probability.
    for mine, bound in ((pairs[0], least[1]), (pairs[1], least[0])):
        moved += sum(max(0.0, value - bound) for token, value in mine.items() if token not in known)
    if moved / 2 > SAME_SHARE:
        raise Unfit("its places are shifted: they change with the token that they should predict")
