"""What the browser chooses is what Python chooses: file, order, figures and every sentence, over a grid."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from choosersamples import catalog
from sitesamples import hostile, sample

from catalog import device as devices
from catalog.index import Catalog
from catalog.release import Release
from zoo.choose import chooser
from zoo.choose import pick as picks
from zoo.choose.chooser import Choice, Offer, Question
from zoo.files import bundled
from zoo.site.pages import Site, links, offers

CONTEXTS = (1, 512, 2000, 8192, 20_000)
SPEEDS = (None, 4.0, 33.3)
AIMS = ((None, None), ("chat", "fr"), (None, "en"), ("code", None), ("poetry", "xx"))
OWN = ((0.5, 1.0), (2.0, 3.3), (11.7, 40.0), (4096.5, 800.0))
"""Machines that somebody describes: GB, GB/s."""

_ASK = """async ([address, questions]) => {
  const core = await import(address + "core.js");
  const catalog = core.unpack(await (await fetch(address + "chooser.json")).json());
  const file = (one) => one && one.path;
  const speed = (one) => one && [one.measured, one.low, one.typical, one.high, one.words()];
  const told = (found) => found && {
    file: file(found.file), need: found.need, reason: found.reason(),
    level: found.level && [found.level.roomy, found.level.quick],
    speed: speed(found.speed),
    rejected: found.rejected.map((one) => [one.file.path, one.why()]),
    runnersUp: found.runnersUp.map((one) => [one.file.path, one.why()]),
  };
  return questions.map(([place, context, leastSpeed, task, language, kv]) => {
    const device = typeof place === "string" ? catalog.deviceOf.get(place) : core.custom(catalog.rules, ...place);
    const choice = core.choose({ device, context, leastSpeed, task, language, kv }, catalog);
    const offer = (one) => one && [one.release.name, one.release.version, core.standingWords(one), told(one.pick)];
    const way = core.line({ device, context, leastSpeed, task, language, kv }, catalog);
    return {
      line: way.map((one) => [one.release.name, told(one.pick)]),
      answer: offer(choice.answer), reason: choice.reason, asked: choice.asked,
      runners: choice.runnersUp.map(offer),
      passed: choice.passed.map((one) => [one.release.name, one.why(), told(one.pick)]),
    };
  });
}"""


def questions() -> list[tuple[Any, ...]]:
    """Every board and machine at every context and speed; tasks and languages in turn."""
    places = [*(device.id for device in devices.DEVICES), *OWN]
    aims, kinds = itertools.cycle(AIMS), itertools.cycle(("f16", "f16", "q8_0", "q4_0"))
    return [
        (place, context, speed, *next(aims), next(kinds))
        for place, context, speed in itertools.product(places, CONTEXTS, SPEEDS)
    ]


def asked(question: tuple[Any, ...]) -> Question:
    place, *rest = question
    device = devices.find(place) if isinstance(place, str) else None
    if device is None:
        device = devices.custom(round(place[0] * devices.GIBI), place[1] * devices.GIGA)
    return Question(device, *rest)


def told(choice: Choice, line: tuple[Offer, ...] = ()) -> dict[str, Any]:
    """The same shape as _ASK's."""

    def pick(one: Any) -> Any:
        if one is None:
            return None
        speed = one.speed
        return {
            "file": one.file.path if one.file else None,
            "need": one.memory_bytes,
            "level": one.level and list(one.level),
            "reason": one.reason,
            "speed": speed and [speed.measured, speed.low, speed.typical, speed.high, speed.words],
            "rejected": [[judged.file.path, judged.reason] for judged in one.rejected],
            "runnersUp": [[judged.file.path, judged.reason] for judged in one.runners_up],
        }

    def offer(one: Any) -> Any:
        entry = one.ranked.entry
        return [entry.name, entry.release.version, chooser.standing_words(one.ranked), pick(one.pick)]

    return {
        "line": [[one.ranked.entry.name, pick(one.pick)] for one in line],
        "answer": offer(choice.answer) if choice.answer else None,
        "reason": choice.reason,
        "asked": choice.asked,
        "runners": [offer(one) for one in choice.runners_up],
        "passed": [[one.ranked.entry.name, one.reason, pick(one.pick)] for one in choice.passed],
    }


def served(folder: Path, some: Catalog, hosted: Callable[..., str]) -> tuple[str, list[chooser.Entry]]:
    """Where core.js and the data of a catalog lie, and its entries after the same journey through JSON."""
    facts = json.loads(json.dumps([offers.facts(model) for model in some.models]))
    (folder / "chooser.json").write_text(offers.packed_text(facts, Site()), encoding="utf-8")
    (folder / "index.html").write_text("<!doctype html><link rel=icon href=data:,><title>t</title>")
    shutil.copy(bundled.site_folder() / "assets" / "core.js", folder)
    return hosted(folder), offers.entries(facts, lambda name: found(some, name))


def found(some: Catalog, name: str) -> Release:
    model = some.model(name)
    release = picks.current(model) if model else None
    assert release
    return release


CATALOGS: dict[str, Callable[[], Catalog]] = {
    "small": sample,
    "random": lambda: catalog(30, seed=7),
    "other": lambda: catalog(12, seed=11, files=4),
    "lossy": lambda: catalog(9, seed=12),
    "hostile": hostile,
    "empty": lambda: Catalog(()),
}


@pytest.mark.parametrize("kind", CATALOGS)
def test_browser_and_python_choose_the_same(kind: str, tmp_path: Path, hosted: Any, open_page: Any) -> None:
    address, entries = served(tmp_path, CATALOGS[kind](), hosted)
    page = open_page(address)
    asking = questions()
    found = page.evaluate(_ASK, [address, asking])
    for question, answer in zip(asking, found, strict=True):
        wanted = asked(question)
        ranked = chooser.rank(entries, wanted.language)
        assert answer == told(chooser.choose(wanted, ranked), chooser.line(wanted, ranked)), question


def test_random_catalogs_reach_every_kind_of_answer() -> None:
    """The grid above proves nothing about sentences that it never makes."""
    text = ""
    for kind in ("random", "other", "lossy"):
        some = [one for model in CATALOGS[kind]().models if (one := chooser.entry(model))]
        text += json.dumps([told(chooser.choose(asked(q), chooser.rank(some, q[4]))) for q in questions()])
    for words in (
        "measured ",
        "predicted ",
        "a measurement is ignored",
        "does not fit",
        "too slow",
        "the others are compared with it",
        "unlikely to notice a difference",
        "has the lowest loss within the errors",
        "has the lowest loss of the",
        "is the only file that",
        "It is also slower",
        "and has a higher loss",
        "failed the smoke test",
        "has a mean KLD of",
        "Its context is at most",
        "None of the",
        "The catalog has no model",
        "memory need is not known",
        "test questions right",
        "No such file has a KLD",
            "cannot tell it apart from",
            "leaves room to spare",
            "it is tight",
            "which is tight",
            "(same processor)",
            "reaches reading speed",
            "No good file reaches",
            "No file of this model that fits reaches",
        "There is no good model",
        "Its owners call it experimental.",
        "guessing gives about",
    ):
        assert words in text, words



def test_the_columns_unpack_to_what_the_catalog_says(tmp_path: Path, hosted: Any, open_page: Any) -> None:
    """A commit of another form, and a size far from what the bits per weight give."""
    models = catalog(5, seed=3).models
    first = models[0].releases[0]
    odd = dataclasses.replace(first.location.model, commit="odd.commit")
    shape = dataclasses.replace(first.architecture, parameters=2**52)
    first = dataclasses.replace(first, location=dataclasses.replace(first.location, model=odd), architecture=shape)
    models = (dataclasses.replace(models[0], releases=(first,)), *models[1:])
    address, _ = served(tmp_path, Catalog(models), hosted)
    unpacked = open_page(address).evaluate(
        """async (address) => {
          const core = await import(address + "core.js");
          const { releases } = core.unpack(await (await fetch(address + "chooser.json")).json());
          return releases.map(({ hub, files }) => [hub && hub[1], files.map((one) =>
            [one.path, one.size, one.bits, one.speeds.map((speed) => speed.evidence)])]);
        }""",
        address,
    )
    every = [(model.name, release) for model in models for release in model.releases]
    assert len(every) == len(unpacked)
    for (name, release), (commit, files) in zip(every, unpacked, strict=True):
        assert commit in (None, release.location.model.commit)
        for one, (path, size, bits, evidence) in zip(release.files, files, strict=True):
            assert (path, size, bits) == (one.path, one.size_bytes, round(one.bits_per_weight, 2))
            assert evidence == [links.evidence_url(name, release, speed.evidence) or "" for speed in one.speeds]
