"""A page for each device: the answer, the answers to other questions about it, and how answers are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypedDict

from catalog import device as devices
from catalog import memory
from catalog.device import GIGA, Device
from catalog.release import Model
from zoo.choose import candidates, chooser, pick
from zoo.choose.chooser import Choice, Entry, Question, Ranked
from zoo.site.pages import about, links, offers, qr
from zoo.site.pages.about import Abouts
from zoo.site.pages.answer import answer
from zoo.site.pages.chooser import families
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.page import Page, fill

ROOT = "../../"
AIMS = 24
"""Pairs of task and language on one page: the most frequent ones."""

MEASURED = 100
"""Shared measurements on the page of a device: the fastest ones."""


class Measured(TypedDict):
    """A speed that somebody shared. url: its evidence, from the site's root."""

    device: str
    name: str
    type: str
    threads: int
    speed: float
    by: str
    url: str


Aim = tuple[str | None, str | None]
"""Task and language of a question."""


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    """What others measured of the current release."""
    del site, evidence
    release = pick.current(model)
    found: list[Measured] = [
        {
            "device": speed.device,
            "name": model.name,
            "type": file.type,
            "threads": speed.threads,
            "speed": speed.decode_tokens_per_second,
            "by": speed.by,
            "url": links.evidence_url(model.name, release, speed.evidence) or "",
        }
        for file in (release.files if release else ())
        for speed in file.speeds
        if release and speed.by and speed.valid
    ]
    return Made({}, found)


def _measured(facts: Sequence[Facts]) -> dict[str, list[Measured]]:
    """What others measured, by device; the fastest first."""
    found: dict[str, list[Measured]] = {}
    every: Iterator[Measured] = (row for one in facts for row in one[KIND.name])
    for row in sorted(every, key=lambda row: (-row["speed"], row["name"], row["by"])):
        found.setdefault(row["device"], []).append(row)
    return found


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    some = offers.of_all(facts)
    ready = offers.entries(some, releases)
    aims = _aims(some)
    page = Page("Devices", "The recommended file for each device, and how it is found.", _index(bool(some)), ())
    files = {"boards/index.html": framed(page, "boards/", site)}
    if not some:
        return files
    ranked, abouts, measured = _ranked(ready, aims), about.of_all(facts), _measured(facts)
    for device in devices.DEVICES:
        path = f"boards/{device.id}/"
        files[f"{path}index.html"] = framed(
            _board(device, ranked, aims, site, abouts, measured.get(device.id, ())), path, site
        )
    return files


def _index(answered: bool) -> str:
    """answered: there are models, so every device has a page."""
    return fill(
        "boards.html",
        answered=answered,
        families=families(),
        root="../",
        giga=GIGA,
        context=pick.CONTEXT_TOKENS,
        limit=chooser.LOSS_LIMIT,
        tolerance=pick.TOLERANCE,
        reading=f"{candidates.READING:g}",
        roomy=f"{100 * candidates.ROOMY_SHARE:g}",
        reserve=devices.RESERVE_REASON,
    )


def _aims(some: Sequence[Facts]) -> list[Aim]:
    """Tasks and languages of the models; the most frequent pairs first."""
    counted = Counter((one["task"], language) for one in some for language in set(one["languages"]))
    return sorted(counted, key=lambda aim: (-counted[aim], aim))[:AIMS]


def _ranked(ready: Sequence[Entry], aims: Sequence[Aim]) -> dict[Aim, list[Ranked]]:
    """The catalog's order for every aim, with only the models for it."""
    languages = {None, *(language for _, language in aims)}
    by_language = {language: chooser.rank(ready, language) for language in languages}
    found: dict[Aim, list[Ranked]] = {(None, None): by_language[None]}
    for task, language in aims:
        found[task, language] = [
            one for one in by_language[language] if one.entry.task == task and language in one.entry.languages
        ]
    return found


def _board(
    device: Device,
    ranked: Mapping[Aim, Sequence[Ranked]],
    aims: Sequence[Aim],
    site: Site,
    abouts: Abouts,
    measured: Sequence[Measured],
) -> Page:
    def ask(
        context: int, least: float | None = None, task: str | None = None, language: str | None = None
    ) -> Choice:
        # The table shows only answers, so runners-up are not needed.
        return chooser.choose(Question(device, context, least, task, language), ranked[task, language], 0)

    question = Question(device, pick.CONTEXT_TOKENS)
    first = chooser.choose(question, ranked[None, None])
    line = chooser.line(question, ranked[None, None])
    html = fill(
        "board.html",
        device=device,
        giga=GIGA,
        answer=answer(first, line, ROOT, site, abouts),
        code=qr.code(site, f"boards/{device.id}/"),
        context=pick.CONTEXT_TOKENS,
        contexts=memory.CONTEXTS,
        others=list(_others(ask, aims)),
        measured=measured[:MEASURED],
        people=len({row["by"] for row in measured}),
        root=ROOT,
    )
    description = f"The recommended file for {device.name}, with the reason. {first.reason}"
    return Page(f"A model for {device.name}", description, html, ())


def _others(ask: Callable[..., Choice], aims: Sequence[Aim]) -> Iterator[tuple[str, list[Choice]]]:
    """(question, the answer at each context length)."""
    contexts = memory.CONTEXTS
    yield "any task and language", [ask(context) for context in contexts]
    for speed in chooser.SPEEDS:
        yield f"at least {speed:g} tokens/s", [ask(context, speed) for context in contexts]
    for task, language in aims:
        yield f"{task}, {language}", [ask(context, None, task, language) for context in contexts]


KIND = Kind("boards", _each, _whole, needs=("boards", "offers", "about"))
