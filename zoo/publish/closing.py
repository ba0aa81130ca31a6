"""Who may read the repositories of a release: closed before the first byte is sent, opened after the last tag is set.

The hub itself is asked in every run, so there is nothing to remember: a run that was killed in between is finished by
the next one, and never leaves a repository more open than wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.access import STRICT
from zoo.commandline import Command
from zoo.errors import InputError
from zoo.publish.stalls import watched
from zoo.publish.steps import Target, Work


class OpenStaging(InputError):
    """What is staged could be read by people who must not read the version."""


def refuse_open_staging(work: Work, targets: Sequence[Target], wanted: str, command: Command) -> None:
    """Raises OpenStaging if a repository with published versions is more open than the staged version may be: it has
    to stay so until that is published. Nothing was sent. command: gives the one that publishes this version with other
    options."""
    for target in targets:
        there = _now(work, target) if target.plan.is_staging else ""
        if there and STRICT[wanted] > STRICT[there]:
            whoever = "everybody" if there == "public" else "everybody who accepts its terms"
            raise OpenStaging(
                f"{target.label} is {there}, so {whoever} could read this {wanted} version while it is staged there",
                safe="Nothing was sent, and nothing was changed.",
                remedy=f"To make the repository {wanted} and publish without staging: {command()}. To stage it anyway: "
                f"{command('--stage-readable')}",
            )


def close(work: Work, target: Target, wanted: str) -> None:
    """Make a repository stricter, or make it so from the start. One that becomes more open stays as it is for now."""
    there = _now(work, target)
    if there and target.plan.is_staging and STRICT[wanted] > STRICT[there]:
        # Its published versions stay as open as they are until the staged one is published.
        what = f"{target.label} stays {there} until this version is published"
        work.report.warn(f"{what}, so others can read what is staged")
    elif not there or STRICT[wanted] > STRICT[there]:
        _change(work, target, wanted)


def open_up(work: Work, target: Target, wanted: str) -> None:
    """Bring a repository to what is wanted, now that it is complete."""
    if _now(work, target) != wanted:
        _change(work, target, wanted)


def _now(work: Work, target: Target) -> str:
    with watched(work.report, f"asking {work.hub} who may read {target.label}"):
        return target.repo.access()


def _change(work: Work, target: Target, wanted: str) -> None:
    with watched(work.report, f"changing who may read {target.label} at {work.hub}"):
        target.repo.set_access(wanted)
    work.report.say(f"{target.label} is {wanted} now")
