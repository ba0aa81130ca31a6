"""An answer of ``zoo.choose.chooser`` as people read it: the file, why, the figures, the command, and the alternatives.

``site/assets/chooser.js`` makes the same of the browser's own answers; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from catalog import licences
from catalog.words import count, data_size
from zoo.choose import chooser, commands
from zoo.choose.chooser import Choice, Offer
from zoo.choose.domination import quality_words
from zoo.choose.pick import Judged, Pick
from zoo.site.pages import about, links, runit
from zoo.site.pages.about import Abouts
from zoo.site.pages.kinds import Site
from zoo.site.pages.memorybar import Bar, bar
from zoo.site.pages.page import fill

SHOWN = 8
"""Skipped models that are named; the others are only counted."""


@dataclass(frozen=True)
class Row:
    """An alternative to the answer: a model or file, its words, and its model's address from the site's root, or
    None."""

    name: str
    url: str | None
    words: str


@dataclass(frozen=True)
class Shown:
    """What the template shows. evidence: address of a measured speed's evidence from the site's root. completes: the
    sentence about a completion model, empty for any other. run: the tabs "Run it", empty if nothing can run
    the file."""

    choice: Choice
    name: str
    version: str
    path: str
    type: str
    licence: str
    size: str
    memory: str
    speed: str
    measured: bool
    evidence: str | None
    loss: str
    about: Markup
    bar: Bar
    line: tuple[Row, ...]
    why: str
    completes: str
    run: Markup
    runners: tuple[Row, ...]
    passed: tuple[Row, ...]
    more: int
    beside: tuple[Row, ...]
    rejected: tuple[Row, ...]


def answer(choice: Choice, line: Sequence[Offer], root: str, site: Site, abouts: Abouts) -> Markup:
    """The fragment; line: the files between the fastest and the best; ``root`` is the path to the site's root."""
    shown = _shown(choice, line, root, site, abouts)
    return Markup(fill("answer.html", shown=shown, choice=choice, root=root, passed=_passed(choice)))


def _shown(
    choice: Choice, line: Sequence[Offer], root: str, site: Site, abouts: Abouts
) -> Shown | None:
    offer = choice.answer
    if offer is None or offer.pick.file is None:
        return None
    file, release = offer.pick.file, offer.ranked.entry.release
    name, context = offer.ranked.entry.name, choice.question.context_tokens
    speed = offer.pick.speed
    assert speed
    passed = _passed(choice)
    return Shown(
        choice=choice,
        name=name,
        version=release.version,
        path=file.path,
        type=file.type,
        licence=licences.in_words(release.licence),
        size=data_size(file.size_bytes),
        memory=f"{data_size(offer.pick.memory_bytes or 0)} predicted at {count(context)} tokens",
        speed=speed.words,
        measured=speed.measured,
        evidence=_evidence(offer),
        loss=quality_words(file),
        about=about.fragment(abouts(name), file.path),
        bar=bar(offer, choice.question.wish),
        line=tuple(_runner(one) for one in line) if len(line) > 1 else (),
        why=offer.pick.reason,
        completes=commands.COMPLETES if commands.completes(release) else "",
        run=runit.fragment(name, release, file, site, root, choice.question),
        runners=tuple(_runner(one) for one in choice.runners_up),
        passed=passed,
        more=len(choice.passed) - len(passed),
        beside=_judged(offer.pick.runners_up),
        rejected=_judged(offer.pick.rejected),
    )


def model_url(name: str) -> str:
    """The address of a model's page from the site's root."""
    return f"models/{name}/"


def pick_words(pick: Pick) -> str:
    """``model-Q8_0.gguf, 144.8 MB, 97.2 % same next word, mean KLD ..., predicted ...``."""
    assert pick.file and pick.speed
    file = pick.file
    return f"{file.path}, {data_size(file.size_bytes)}, {quality_words(file)}, {pick.speed.words}"


def _runner(one: Offer) -> Row:
    name = one.ranked.entry.name
    return Row(name, model_url(name), f"{chooser.standing_words(one.ranked)}; {pick_words(one.pick)}.")


def _passed(choice: Choice) -> tuple[Row, ...]:
    return tuple(
        Row(one.ranked.entry.name, model_url(one.ranked.entry.name), one.reason)
        for one in choice.passed[:SHOWN]
    )


def _judged(some: Sequence[Judged]) -> tuple[Row, ...]:
    return tuple(Row(one.file.path, None, one.reason) for one in some)


def _evidence(offer: Offer) -> str | None:
    """The address of the measurement behind the speed."""
    pick, entry = offer.pick, offer.ranked.entry
    assert pick.file and pick.speed
    if not pick.speed.measured:
        return None
    source = pick.speed.source
    assert source
    return links.evidence_url(entry.name, entry.release, source.evidence)
