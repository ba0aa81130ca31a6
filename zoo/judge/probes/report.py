"""Counts, intervals and words of probe results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, TypeGuard

from catalog.guessing import wilson
from catalog.jsonvalues import listed
from catalog.recipe import plain
from catalog.release import ModelFile, ProbeScore
from zoo.judge.probes import MAKERS, make
from zoo.judge.probes.item import Answer, Pair, Probe, Question


class ProbeRecord(TypedDict):
    """One probe of one file, as probes.json has it. items: each with its question, its answer and the verdict."""

    probe: str
    title: str
    asks: str
    language: str | None
    shots: list[list[str]]
    score: dict[str, object]
    items: list[dict[str, object]]


FORMAT = "zoo-probes/1"


def score(probe: str, language: str | None, verdicts: Sequence[bool]) -> ProbeScore:
    """How many verdicts of a probe are right, with the interval of the share."""
    low, high = wilson(sum(verdicts), len(verdicts))
    return ProbeScore(probe, language, sum(verdicts), len(verdicts), low, high)


def record(probe: Probe, answers: Sequence[Answer]) -> ProbeRecord:
    """One probe of one file, every item with its answer; ready for JSON."""
    items: tuple[Question | Pair, ...] = (*probe.questions, *probe.pairs)
    asked = [
        {**_asked(item), "answer": answer.text, "finish": answer.finish, "correct": answer.correct}
        for item, answer in zip(items, answers, strict=True)
    ]
    return {
        "probe": probe.name,
        "title": probe.title,
        "asks": probe.asks,
        "language": probe.language,
        "shots": [list(shot) for shot in probe.shots],
        "score": plain(score(probe.name, probe.language, [answer.correct for answer in answers])),
        "items": asked,
    }


def _asked(item: Question | Pair) -> dict[str, object]:
    return {name: value for name, value in vars(item).items() if value is not None and name != "max_tokens"}


def records(data: object) -> list[ProbeRecord]:
    """The content of a probes.json. Raises TypeError for data of another shape."""
    found = [one for one in listed(data) if _is_record(one)]
    if len(found) != len(listed(data)):
        raise TypeError("not the records of probes")
    return found


def _is_record(one: object) -> TypeGuard[ProbeRecord]:
    return isinstance(one, dict) and one.keys() == ProbeRecord.__annotations__.keys()


def evidence(files: Mapping[str, Sequence[ProbeRecord]]) -> dict[str, object]:
    """The records of all files of a release in one: every item once, with the answers by file type."""
    first = next(iter(files.values()))
    own = ("answer", "finish", "correct")
    probes = []
    for number, probe in enumerate(first):
        items = [
            {
                **{name: value for name, value in item.items() if name not in own},
                "answers": {
                    type_: {name: its[number]["items"][place][name] for name in own}
                    for type_, its in files.items()
                },
            }
            for place, item in enumerate(probe["items"])
        ]
        scores = {type_: its[number]["score"] for type_, its in files.items()}
        head = {name: value for name, value in probe.items() if name not in ("items", "score")}
        probes.append({**head, "scores": scores, "items": items})
    return {"format": FORMAT, "interval": "Wilson, 95 %", "decoding": "greedy", "probes": probes}


def title(probe: str) -> str:
    """A probe's name for people; an unknown one (of a newer program) is its own title."""
    return make(probe, 1, 0).title if probe in MAKERS else probe


def words(found: ProbeScore) -> str:
    """A score in short: ``31 of 40 (62-88 %)``."""
    return f"{found.correct} of {found.total} ({100 * found.share_low:.0f}-{100 * found.share_high:.0f} %)"


def rows(files: Sequence[ModelFile]) -> list[tuple[str, list[str]]]:
    """(title of a probe, words for each file in order), for a table; empty if no file was probed."""
    names = list(dict.fromkeys(found.probe for file in files for found in file.probes))
    table = []
    for name in names:
        cells = []
        for file in files:
            its = next((found for found in file.probes if found.probe == name), None)
            cells.append(words(its) if its else "not probed")
        table.append((title(name), cells))
    return table
