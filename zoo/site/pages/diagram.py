"""The lineage of a release as a drawing: teacher, prompts, answers, weights, release, files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from catalog import licences
from catalog.release import Ancestor, Model, Release
from catalog.words import count, counted
from zoo.site.pages.page import fill
from zoo.site.pages.text import listed, shortened, visible

WIDTH, GAP, ROW, HEIGHT = 340, 12, 84, 58
_LINE = 24
"""Characters that fit on a line of a box of half the width."""


@dataclass(frozen=True)
class _Box:
    """A box of the drawing. half: 0 or 1 for a box in the left or right half, None for one of the whole width."""

    title: str
    lines: tuple[str, ...]
    row: int
    half: int | None = None

    @property
    def x(self) -> int:
        return 1 + (self.half or 0) * (WIDTH // 2 + GAP // 2)

    @property
    def y(self) -> int:
        return 1 + self.row * ROW

    @property
    def width(self) -> int:
        return WIDTH - 2 if self.half is None else WIDTH // 2 - GAP // 2 - 2

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


def lineage(model: Model, release: Release) -> Markup:
    """The SVG with a title and a description that says the same in words; empty if the catalog records no source."""
    if not release.lineage:
        return Markup()
    boxes, arrows = _boxes(model, release)
    words = [f"{box.title}: {', '.join(box.lines)}" for box in boxes]
    words += [f"{boxes[start].title} leads to {boxes[end].title}" for start, end in arrows]
    drawn = fill(
        "model/diagram.html",
        boxes=boxes,
        arrows=[(boxes[start], boxes[end]) for start, end in arrows],
        width=WIDTH,
        box_height=HEIGHT,
        height=boxes[-1].y + HEIGHT + 1,
        words=". ".join(words) + ".",
    )
    return Markup(drawn)


def _boxes(model: Model, release: Release) -> tuple[list[_Box], list[tuple[int, int]]]:
    """Boxes from top to bottom, and arrows as pairs of their numbers."""
    by_role = {
        role: [one for one in release.lineage if one.role == role] for role in ("student", "teacher", "train")
    }
    boxes: list[_Box] = []
    arrows: list[tuple[int, int]] = []
    row = 0
    if by_role["teacher"]:
        boxes += [
            _Box("Teacher", _source(by_role["teacher"]), row, 0),
            _Box("Prompts", _source(by_role["train"]), row, 1),
            _Box("Answers of the teacher", _answers(release), row + 1, 0),
            _Box("Starting weights", _source(by_role["student"], release.quantized_source), row + 1, 1),
        ]
        arrows += [(0, 2), (1, 2)]
        row += 2
    else:
        weights = _source(by_role["student"] or list(release.lineage), release.quantized_source)
        boxes.append(_Box("Starting weights", weights, row))
        row += 1
    into = [number for number in range(len(boxes)) if number not in {start for start, _ in arrows}]
    name = f"{shortened(model.name, 40)} {shortened(release.version, 20)}"
    verb = "Student, distilled" if release.training else "Exported model"
    boxes.append(_Box(verb, (name, _licence(release.licence)), row))
    arrows += [(start, len(boxes) - 1) for start in into]
    types = [shortened(visible(file.type), 16) for file in release.files]
    more = f" and {len(types) - 6} more" if len(types) > 6 else ""
    # A box of the whole width takes two lines' worth of characters.
    names = shortened(listed(types[:6]), 2 * _LINE - len(more)) + more
    boxes.append(_Box(counted(len(types), "file"), (names,), row + 1))
    arrows.append((len(boxes) - 2, len(boxes) - 1))
    return boxes, arrows


def _source(found: Sequence[Ancestor], quantized: str | None = None) -> tuple[str, ...]:
    """quantized: the type of the weights, if they were already quantized."""
    if not found:
        return ("not recorded",)
    one, rest = found[0], len(found) - 1
    name = one.upstream or one.source.rpartition("/")[2] or one.source
    kind = f"{quantized}, " if quantized else ""
    return _short(name), _licence(f"{kind}{one.licence}") + (f", and {rest} more" if rest else "")


def _answers(release: Release) -> tuple[str, ...]:
    dataset = release.dataset
    if dataset is None:
        return ("not published",)
    return f"{count(dataset.valid_rows)} conversations", _licence(dataset.licence)


def _licence(text: str) -> str:
    return _short(licences.in_words(text))


def _short(text: str) -> str:
    return shortened(visible(text), _LINE)
