"""Minimal pairs in English: the sentence with a mistake of grammar should be less probable than the one without.

The method is that of BLiMP (Warstadt et al., "BLiMP: The Benchmark of Linguistic Minimal Pairs for English",
TACL 8, 2020); the sentences are this project's own.
"""

from __future__ import annotations

import random

from zoo.judge.probes.item import Pair, Probe, distinct

PEOPLE = (
    "teacher", "driver", "farmer", "doctor", "neighbour", "sailor", "baker", "student", "painter", "lawyer",
    "singer", "pilot", "nurse", "dancer", "writer",
)  # fmt: skip
THINGS = ("gate", "window", "table", "boat", "tree", "house", "car", "river", "door", "lamp", "wall", "chair")
ADJECTIVES = ("tired", "ready", "late", "happy", "famous", "angry", "here", "quiet", "hungry", "busy")
PLACES = ("garden", "kitchen", "street", "school", "village", "museum")
PAST = (
    ("wrote", "written", "a letter"), ("drove", "driven", "the van"), ("ate", "eaten", "an apple"),
    ("took", "taken", "the bus"), ("broke", "broken", "a cup"), ("saw", "seen", "a bird"),
    ("gave", "given", "a speech"), ("chose", "chosen", "a hat"), ("drew", "drawn", "a map"),
    ("sang", "sung", "a song"),
)  # fmt: skip
VERBS = ("blamed", "hurt", "praised", "saw", "helped", "introduced")
BASE = (("swim", "swims"), ("sing", "sings"), ("cook", "cooks"), ("drive", "drives"), ("wait", "waits"))

_Drawn = tuple[str, str, str]


def make(items: int, seed: int) -> Probe:
    """Pairs of six kinds, drawn evenly at random."""
    drawn = distinct("pairs_en", items, seed, lambda dice: dice.choice(KINDS)(dice))
    return Probe(
        "pairs_en",
        "Minimal pairs, English",
        "The grammatical sentence of the two is the more probable one.",
        language="en",
        pairs=tuple(
            Pair(f"pairs_en-{number}", good, bad, kind) for number, (kind, good, bad) in enumerate(drawn, 1)
        ),
    )


def _agreement(dice: random.Random) -> _Drawn:
    who, thing, end = dice.choice(PEOPLE), dice.choice(THINGS), dice.choice(ADJECTIVES)
    if dice.random() < 0.5:
        who, good, bad = f"{who}s", "are", "is"
    else:
        good, bad, thing = "is", "are", f"{thing}s"
    frame = "The {} near the {} {} {}."
    return "agreement", frame.format(who, thing, good, end), frame.format(who, thing, bad, end)


def _determiner(dice: random.Random) -> _Drawn:
    thing = dice.choice(THINGS)
    one, many = (dice.choice(("this", "that")), dice.choice(("these", "those")))
    frame = f"{dice.choice(('She', 'He', 'Nobody'))} {dice.choice(('bought', 'painted', 'liked', 'sold'))} {{}} {{}}."
    if dice.random() < 0.5:
        return "determiner", frame.format(one, thing), frame.format(one, f"{thing}s")
    return "determiner", frame.format(many, f"{thing}s"), frame.format(many, thing)


def _reflexive(dice: random.Random) -> _Drawn:
    frame = f"The {dice.choice(PEOPLE)}s {dice.choice(VERBS)} {{}}."
    return "reflexive", frame.format("themselves"), frame.format(dice.choice(("himself", "herself")))


def _past(dice: random.Random) -> _Drawn:
    good, bad, what = dice.choice(PAST)
    frame = f"{dice.choice(('Yesterday', 'Last week'))} the {dice.choice(PEOPLE)} {{}} {what}."
    return "past", frame.format(good), frame.format(bad)


def _there(dice: random.Random) -> _Drawn:
    count, thing = dice.choice(("two", "three", "many", "some")), dice.choice(THINGS)
    frame = f"There {{}} {count} {thing}s in the {dice.choice(PLACES)}."
    return "there", frame.format("are"), frame.format("is")


def _modal(dice: random.Random) -> _Drawn:
    good, bad = dice.choice(BASE)
    modal = dice.choice(("can", "must", "will", "should"))
    frame = f"The {dice.choice(PEOPLE)} {modal} {{}} in the {dice.choice(PLACES)}."
    return "modal", frame.format(good), frame.format(bad)


KINDS = (_agreement, _determiner, _reflexive, _past, _there, _modal)
