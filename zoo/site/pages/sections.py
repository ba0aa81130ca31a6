"""The sections of a page about one release, in their order. The page of a model has them all, that of an older version
those that are about the version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from catalog import access, changes, reports, yanks
from catalog.memory import CONTEXTS
from catalog.release import MemoryNeed, Model, ModelFile, Release
from zoo.choose import commands, ranking
from zoo.choose import pick as picks
from zoo.choose.pick import Pick
from zoo.judge.probes import report as probe_report
from zoo.site.pages import diagram, pictures, qr, runit
from zoo.site.pages.about import About
from zoo.site.pages.charts import Chart
from zoo.site.pages.kinds import Site
from zoo.site.pages.links import compare_url
from zoo.site.pages.page import fill
from zoo.site.pages.text import shortened, visible

CONTEXT = CONTEXTS[1]
"""The context length that tables compare memory at."""


@dataclass(frozen=True)
class Section:
    """A part of a page with its heading; id is the anchor."""

    id: str
    title: str
    html: Markup


class Board(NamedTuple):
    """One line of the table of boards: names of all that have this answer."""

    name: str
    pick: Pick


def memory_at(file: ModelFile) -> MemoryNeed | None:
    """The prediction at CONTEXT, or at the longest context below it that the file has one for."""
    known = [need for need in file.memory if need.context_tokens <= CONTEXT]
    return max(known, key=lambda need: need.context_tokens, default=None)


def shown_release(model: Model) -> Release:
    """The release that the model's page describes: the recommended one, else the newest stable one."""
    return picks.current(model) or model.preferred()[0]


def of_release(
    model: Model, release: Release, site: Site, drawn: Sequence[Chart], said: About, *, whole: bool
) -> list[Section]:
    """The sections that apply. whole: also those that are about the model, not the version."""
    root = "../../" if whole else "../../../"
    recommended = picks.recommendations(release)
    taken = commands.recommended(recommended, release)
    values = {
        "model": model,
        "release": release,
        "site": site,
        "root": root,
        "about": said,
        "whole": whole,
        "context": CONTEXT,
        "memory": memory_at,
        "boards": (boards := _boards(recommended)),
        "reasons": list({board.pick.file: board for board in reversed(boards)}.values())[::-1],
        "beaten": picks.dominated(release),
        "taken": taken,
        "people": reports.people(speed for file in release.files for speed in file.speeds),
        "probes": probe_report.rows(release.files),
        "guessed": _guessed(release),
        "languages": _languages(release),
        "run": "" if model.yank_of(release.version) else runit.fragment(model.name, release, taken, site, root),
        "download_url": lambda file: runit.download_url(model.name, release, file, site),
        "compared": _compared(model, release, taken) if whole else "",
        "code": qr.code(site, f"models/{model.name}/") if whole else "",
        "completes": commands.COMPLETES if commands.completes(release) else "",
        "download": commands.download(model.name, release, taken),
        "closed": access.sentence(release.location),
        "diagram": diagram.lineage(model, release),
        "changes": changes.of_versions(model.releases),
        "yanked": {event.version: event for event in yanks.active(model)},
        "reproductions": [one for one in model.reproductions if one.version == release.version],
    }
    found = []
    for id_, title in _outline(release, said, whole):
        if id_ == "pictures":
            if drawn:
                found.append(Section(id_, title, pictures.figures(drawn, "pictures/")))
        else:
            found.append(Section(id_, title, Markup(fill(f"model/{id_}.html", **values))))
    return found


def _outline(release: Release, said: About, whole: bool) -> list[tuple[str, str]]:
    every = [
        ("use", "What it is for", whole),
        ("news", "What is new", not whole or release.news is not None),
        ("files", "Pick a file", True),
        ("commands", "Download and run", True),
        ("evidence", "Evidence", True),
        ("examples", "Sample answers", bool(said["examples"])),
        ("probes", "Task probes", any(file.probes for file in release.files)),
        ("pictures", "Charts", whole),
        ("training", "Training, before and after", release.training is not None),
        ("lineage", "Lineage and licences", True),
        ("limits", "Limits", True),
        ("versions", "Versions", whole),
        ("provenance", "Provenance", True),
    ]
    return [(id_, title) for id_, title, applies in every if applies]


def _boards(recommended: Sequence[Pick]) -> list[Board]:
    """Boards that have the same answer in one line, where the first of them is. Of those that differ in their memory
    only, just the size is added."""
    found: dict[object, Board] = {}
    for pick in recommended:
        answer = (pick.file and pick.file.path, pick.memory_bytes, pick.speed.words if pick.speed else "")
        if answer in found:
            name = found[answer].name
            family, _, size = pick.device.name.rpartition(", ")
            alike = name.rpartition("; ")[2].startswith(f"{family}, ")
            found[answer] = found[answer]._replace(name=f"{name}, {size}" if alike else f"{name}; {pick.device.name}")
        else:
            found[answer] = Board(pick.device.name, pick)
    return list(found.values())


def _compared(model: Model, release: Release, taken: ModelFile) -> str:
    """Where the recommended file can be compared with others; only the current release can."""
    if release is not picks.current(model):
        return ""
    return compare_url(model.name, release.version, shortened(visible(taken.type), 60))


def _guessed(release: Release) -> list[str]:
    """A sentence for each language and each probe in which the model is no better than guessing. A language whose only
    probe is named needs no second sentence."""
    found = ranking.guessed(release)
    scores = ranking.merit(release).probes
    said = []
    for language, share in found.languages.items():
        some = [score.probe for score in scores if score.language == language]
        if len(some) > 1 or some[0] not in found.probes:
            said.append(f"Language {shortened(visible(language), 40)}: {_share_words(share)}")
    return said + [
        f"{shortened(visible(probe_report.title(probe)), 100)}: {_share_words(share)}"
        for probe, share in found.probes.items()
    ]


def _share_words(share: ranking.Share) -> str:
    guess = f"; guessing gives about {share.by_guessing:,.0f}" if share.by_guessing else ""
    return f"{share.correct:,} of {share.total:,} right{guess}"


def _languages(release: Release) -> list[str]:
    """Languages that some file has a loss of its own for, in their order."""
    found: dict[str, None] = {}
    for file in release.files:
        found |= {one.language: None for one in (file.loss.languages if file.loss else ())}
    return list(found)
