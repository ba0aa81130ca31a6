"""What is worth a look about the preset of a training. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.problems import Problem
    from catalog.yamltext import Document


def hints(document: Document) -> Iterator[Problem]:
    """A preset that another one is better than in everything.

    The figures are those of ten matrices of SmolLM2-135M; bits count the scales, too.
    """
    data = document.data if isinstance(document.data, dict) else {}
    teacher = data.get("teacher")
    tuned = teacher.get("tune") if isinstance(teacher, dict) else None
    trainings: dict[tuple[str, ...], object] = {("distill",): data.get("distill"), ("teacher", "tune"): tuned}
    for place, training in trainings.items():
        if not isinstance(training, dict):
            continue
        if training.get("preset") != "ada-memory" or training.get("adapter") != "qlora":
            continue
        yield document.problem(
            (*place, "preset"),
            "fp4 with single quantization takes 4.50 bits per weight and rounds by 12.5 % on average; ada-memory-nf4 "
            "takes 4.13 bits and rounds by 9.4 %",
            "Write preset: ada-memory-nf4, or keep it to repeat an earlier training",
        )
