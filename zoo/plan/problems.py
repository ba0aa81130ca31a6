"""Every problem of a recipe that can be known before something is made: what ``zoo check`` lists."""

from __future__ import annotations

from catalog.checks import CheckedRecipe
from catalog.problems import Problem
from zoo.plan import corpuslimits, foresight, sincerelease, tunecorpus
from zoo.plan.known import Known
from zoo.settings import Settings


def every(checked: CheckedRecipe, settings: Settings, known: Known | None = None) -> list[Problem]:
    """Of its text, its sources on this machine, its prompts as a whole, and its pins. known: what need not be read
    again. Raises OSError."""
    root = settings.root
    found = [*checked.problems, *foresight.problems(checked, root, known=known, templates=True)]
    found += [*corpuslimits.problems(checked, root), *tunecorpus.problems(checked, root)]
    return [*found, *sincerelease.changed_since_pinned(checked, root, settings.work)]
