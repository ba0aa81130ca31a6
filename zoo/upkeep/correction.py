"""What a corrected card may change, and what it says about the correction. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from catalog.recipe import Recipe, plain
from catalog.release import Correction
from zoo.release.cards import escape_markdown

WORDS = (
    "bad_at", "good_at", "maturity", "notes", "owners", "publish.gate_prompt", "publish.gate_questions", "student.note",
    "summary", "task", "teacher.note",
)  # fmt: skip
"""Keys of a recipe that only the card and the catalog show: no file, no figure and no step depends on them."""

DATA_WORDS = ("publish.gate_prompt", "publish.gate_questions")
"""Those that the card of the dataset shows too."""

PLACE = ("publish.access",)
"""Keys that say how a hub keeps the release: they may change at any time, and are no part of it."""

TITLE = "## Corrections of this page"


def changed(released: Recipe, now: Recipe) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keys whose values differ: those of ``WORDS``, and all others but ``PLACE``. Both sorted."""
    keys = sorted(set(_differences("", plain(released), plain(now))) - set(PLACE))
    return tuple(key for key in keys if key in WORDS), tuple(key for key in keys if key not in WORDS)


def _differences(path: str, one: object, other: object) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _differences(f"{path}.{key}" if path else key, one.get(key), other.get(key))
    elif one != other:
        yield path


def with_section(card: str, version: str, corrections: Iterable[Correction]) -> str:
    """The card with an account of its corrections at the end; unchanged if there are none."""
    said = [
        f"- {one.date}: {escape_markdown(one.reason)}" + (f" (changed: {', '.join(one.fields)})" if one.fields else "")
        for one in corrections
    ]
    if not said:
        return card
    kept = (
        f"Only this page was changed after the release. The files of version {version}, their figures and the tag "
        f"`v{version}` are as they were released. `SHA256SUMS` lists the page of the tag."
    )
    return "\n".join([card.rstrip("\n"), "", TITLE, "", kept, "", *said]) + "\n"
