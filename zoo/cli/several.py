"""Every recipe of the zoo: all are looked at before the first byte is sent; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from catalog.words import counted
from zoo import commandline, flow
from zoo.cli.common import Call
from zoo.errors import ZooError
from zoo.plan import prepare
from zoo.plan.prepare import Planned
from zoo.publish import record
from zoo.publish.apply import Published
from zoo.publish.asked import USUAL, Asked
from zoo.release import ReleaseFolder
from zoo.settings import Settings
from zoo.upkeep import taken

DONE, OUT, NOT_BUILT, FAILED = "released", "out before", "not built", "failed"
Ready = TypeVar("Ready")
FAILURES = (ZooError, OSError)


@dataclass(frozen=True)
class Outcome:
    """The end for one recipe. words: where it is, or what happened and what to do."""

    recipe: str
    version: str
    state: str
    words: str


class Left(Exception):
    """Nothing is to be done for a recipe."""

    def __init__(self, version: str, state: str, words: str) -> None:
        super().__init__(words)
        self.version, self.state, self.words = version, state, words


def each(
    call: Call,
    names: Iterable[str],
    look: Callable[[str], Ready],
    act: Callable[[Ready], tuple[str, str]],
    ahead: Callable[[Mapping[str, Ready]], Mapping[str, ZooError]] | None = None,
) -> list[Outcome]:
    """The outcome of every recipe, in the order of ``names``.

    look: raises Left, or what publishing would refuse. act: gives the version, and where it is now. ahead: work for all
    of them, before the first is acted on; it returns why some cannot be.
    """
    found: dict[str, Outcome] = {}
    ready: dict[str, Ready] = {}
    for name in names:
        try:
            ready[name] = look(name)
            found[name] = Outcome(name, "", FAILED, "")
        except Left as left:
            found[name] = Outcome(name, left.version, left.state, left.words)
        except FAILURES as error:
            found[name] = Outcome(name, "", FAILED, str(error))
            call.output.warn(f"{name} is left out: {error}")
    call.output.say(f"{counted(len(ready), 'recipe')} of {len(found)} to do")
    faults = ahead(ready) if ahead and ready else {}
    for name, one in ready.items():
        try:
            if fault := faults.get(name):
                raise fault
            version, where = act(one)
            found[name] = Outcome(name, version, DONE, where)
        except FAILURES as error:
            found[name] = Outcome(name, "", FAILED, str(error))
            call.output.warn(f"{name} failed: {error}")
    return list(found.values())


def built(name: str, settings: Settings, asked: Asked) -> tuple[Planned, ReleaseFolder]:
    """A built release that is not out. Raises Left, or what publishing would refuse."""
    planned = prepare.make_plan(name, settings)
    _leave_out(planned, settings, asked)
    taken.released_before(planned, settings)
    try:
        release = flow.existing_release(planned, settings, asked)
    except flow.NotBuilt as error:
        raise Left(planned.plan.version, NOT_BUILT, error.advice) from error
    flow.refuse_failed_gates(release)
    flow.targets(planned, release, settings, asked)
    return planned, release


def unpublished(name: str, call: Call, tools: Mapping[str, str]) -> Planned:
    """A recipe whose version is not out, built or not. tools: what is installed. Raises Left, or what releasing would
    refuse."""
    planned = prepare.make_plan(name, call.settings, tools)
    _leave_out(planned, call.settings, USUAL)
    flow.refuse_other_owner(planned, call.settings, call.output)
    return planned


def _leave_out(planned: Planned, settings: Settings, asked: Asked) -> None:
    if taken.is_out(planned, settings, asked.way):
        raise Left(planned.plan.version, OUT, f"see: {commandline.line(settings, 'show', planned.plan.name)}")


def where(published: Published) -> str:
    """Where a release is now."""
    place = published.location
    return f"{place.model.name} on hub {place.hub}, commit {place.model.commit[:12]}"


def answer(call: Call, outcomes: list[Outcome]) -> int:
    """One table of all, and the exit code: 1 if a recipe failed."""
    failed = [one for one in outcomes if one.state == FAILED]
    # The warning of a failure has all its lines already.
    rows = [(one.recipe, one.version, one.state, one.words.partition("\n")[0]) for one in outcomes]
    note = f"{sum(one.state == DONE for one in outcomes)} released, {len(failed)} failed."
    if failed:
        note += " The others are not affected. Fix the cause, then run the same command again."
    data: dict[str, object] = {"recipes": [vars(one) for one in outcomes], "failed": len(failed)}
    call.output.table(data, "Every recipe of this zoo", ("recipe", "version", "state", "where, or why"), rows, note)
    return 1 if failed else 0


def refuse_unready(settings: Settings) -> None:
    """What would stop every recipe alike. Raises ZooError."""
    record.refuse_unwritable(settings)
