"""Whether upstream models still exist, with the same licence and gating. Pure except for ``ask``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from catalog import licences, sources
from catalog.index import Catalog
from catalog.release import Ancestor, Release
from catalog.watch import Finding, Report, Source, Unchecked
from zoo.commandline import Command
from zoo.errors import InputError, ZooError
from zoo.hub.interface import Described
from zoo.upkeep.remedies import remedy

Ask = Callable[[str, str | None], Described]
"""(repository, revision or None) to its description. Raises InputError if it no longer exists, ZooError if that is
unknown."""


UPSTREAM = "upstream "
"""How the name of what could not be checked begins, if it is an upstream model."""


def is_upstream(one: Unchecked) -> bool:
    """Whether what could not be checked is an upstream model, and not a place of a release."""
    return one.what.startswith(UPSTREAM)


@dataclass
class Looked:
    """What was seen, what differs, what could not be checked, and how many requests that took."""

    seen: list[Source] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    requests: int = 0


def look_at_sources(catalog: Catalog, before: Report | None, ask: Ask, command: Command) -> Looked:
    """Every Hub model that a release comes from, each requested once. command: gives a command line."""
    done = Looked()
    gated_before = {one.repository: one.gated for one in before.sources} if before else {}
    answers: dict[tuple[str, str | None], Described | ZooError] = {}
    for model in catalog.models:
        for release in model.releases:
            for ancestor, repository, revision in _hub_models(release):
                # The pinned commit must be there; the current licence and gating are those of the branch.
                for key in dict.fromkeys([(repository, None), (repository, revision)]):
                    if key not in answers:
                        answers[key] = _asked(ask, done, *key)
                    known = _Known(model.name, release.version, ancestor.licence, gated_before.get(repository), command)
                    done.findings += _differences(known, *key, answers[key])
    done.seen.sort(key=lambda one: one.repository)
    return done


def _hub_models(release: Release) -> Iterator[tuple[Ancestor, str, str | None]]:
    for ancestor in release.lineage:
        source = sources.parse(ancestor.source) if ancestor.source.startswith("hf:") else None
        if isinstance(source, sources.HubSource):
            yield ancestor, source.repo, source.revision
        elif ancestor.upstream:
            yield ancestor, ancestor.upstream, None


def _asked(ask: Ask, done: Looked, repository: str, revision: str | None) -> Described | ZooError:
    done.requests += 1
    try:
        answer = ask(repository, revision)
    except InputError as gone:
        return gone
    except ZooError as error:
        done.unchecked.append(Unchecked(f"{UPSTREAM}{repository}", str(error)))
        return error
    if revision is None:
        done.seen.append(Source(repository, answer.licence, answer.gated))
    return answer


@dataclass(frozen=True)
class _Known:
    """A release that comes from an upstream model, and what is recorded of that. gated: as of the last watch.
    command: gives a command line."""

    name: str
    version: str
    licence: str
    gated: str | None
    command: Command


def _differences(
    known: _Known, repository: str, revision: str | None, answer: Described | ZooError
) -> Iterator[Finding]:
    def note(kind: str, expected: str | None, found: str | None, what: str) -> Finding:
        repair = remedy(kind, {"name": known.name, "version": known.version}, known.command)
        return Finding(kind, known.name, known.version, repository, None, revision, expected, found, what, repair)

    if isinstance(answer, InputError):
        yield note("source", revision, None, answer.what)
        return
    if isinstance(answer, ZooError) or revision is not None:
        return
    if not _same_licence(known.licence, answer):
        now = answer.licence_name or answer.licence or "none"
        what = f"the licence of upstream {repository} is now {now}, but {known.licence} is recorded"
        yield note("licence", known.licence, now, what)
    if known.gated is not None and known.gated != answer.gated:
        what = f"the gating of upstream {repository} changed from {known.gated} to {answer.gated}"
        yield note("gating", known.gated, answer.gated, what)


def _same_licence(recorded: str, answer: Described) -> bool:
    """Whether the Hub's word for the recorded licence is the model's current one."""
    word = licences.hub_identifier(recorded)
    if word != "other":
        return answer.licence == word
    name = recorded.removeprefix("LicenseRef-").casefold()
    given = answer.licence_name.casefold() if answer.licence_name else None
    return answer.licence == "other" and given in (None, name, recorded.casefold())
