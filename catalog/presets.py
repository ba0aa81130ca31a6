"""What is worth a look about the preset of a training. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.jsontext import JsonObject
from catalog.problems import Problem, show
from catalog.yamltext import Document

FOUR_BIT = ("ampere-balanced", "turing-safe", "ada-memory", "ada-memory-nf4")
"""Presets with a 4-bit type for the frozen weights, which qlora needs."""
DEFAULT = "cpu-small"
ADAPTERS = {("distill",): "none", ("teacher", "tune"): "lora"}
"""Of a training that names none, by its place."""


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """A preset that does not go together with its adapter. Tolerates any shape."""
    for place, training in _trainings(data):
        preset = training.get("preset", DEFAULT)
        if training.get("adapter") == "qlora" and preset not in FOUR_BIT:
            yield document.problem(
                (*place, "preset" if (*place, "preset") in document.value_places else "adapter"),
                f"qlora trains on weights in 4 bits, but the preset {show(preset)} has no type for them",
                f"Write `preset:` and one of {', '.join(FOUR_BIT)}, or `adapter: lora`",
            )


def _trainings(data: JsonObject) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """The sections that train, with their places."""
    teacher = data.get("teacher")
    tuned = teacher.get("tune") if isinstance(teacher, dict) else None
    for place, training in ((("distill",), data.get("distill")), (("teacher", "tune"), tuned)):
        if isinstance(training, dict):
            yield place, training


def hints(document: Document) -> Iterator[Problem]:
    """A preset that another one is better than in everything, or whose adapter is not trained.

    The figures are those of ten matrices of SmolLM2-135M; bits count the scales, too.
    """
    data = document.data if isinstance(document.data, dict) else {}
    for place, training in _trainings(data):
        preset = training.get("preset", DEFAULT)
        if training.get("adapter", ADAPTERS[place]) == "none" and preset in FOUR_BIT:
            yield document.problem(
                (*place, "preset"),
                f"{preset} is for adapters on a GPU, but all weights are trained in 32 bits (`adapter: none`): only "
                "its number format for products is used",
                "Write `adapter: qlora` or `adapter: lora` to train in less memory, or delete this line",
            )
        if preset != "ada-memory" or training.get("adapter") != "qlora":
            continue
        yield document.problem(
            (*place, "preset"),
            "fp4 with single quantization takes 4.50 bits per weight and rounds by 12.5 % on average; ada-memory-nf4 "
            "takes 4.13 bits and rounds by 9.4 %",
            "Write preset: ada-memory-nf4, or keep it to repeat an earlier training",
        )
