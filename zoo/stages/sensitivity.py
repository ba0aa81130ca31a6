"""sensitivity: what quantizing each tensor alone costs, measured once for all byte budgets of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from catalog.jsonvalues import whole
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.gguf.imatrix import read_imatrix
from zoo.llama.measure.windows import tokens_sha256
from zoo.llama.search import sensitivity
from zoo.llama.search.sensitivity import Described, Group, Journal
from zoo.llama.search.tensors import Tensors
from zoo.llama.search.trials import Trials
from zoo.stages import Context, Facts
from zoo.stages.artifact import IMATRIX_FILE, MODEL_FILE
from zoo.stages.texts import kept, texts

FILE = "sensitivity.json"


def run(context: Context) -> Facts:
    """Writes ``sensitivity.json``: the windows, and errors and measured KLDs of every group."""
    with opened(context) as (trials, journal):
        groups = sensitivity.groups_of(trials.tensors)
        measured = sensitivity.measure(trials, groups, journal, context.report)
        record = {
            "texts": [
                {"path": file.path, "sha256": file.sha256}
                for file in kept(context.inputs["texts"], "calibration")
            ],
            "window_tokens": whole(context.spec["window_tokens"]),
            "windows": sensitivity.WINDOWS,
            "scored_tokens_per_window": len(trials.windows[0].targets),
            "tokens_sha256": tokens_sha256(trials.windows[: sensitivity.WINDOWS]),
            "groups": measured,
        }
    write_atomic(context.out / FILE, pretty_json(record))
    return {"groups": len(measured), "tokens_sha256": record["tokens_sha256"]}


@dataclass(frozen=True)
class Record:
    """What a search reads of ``sensitivity.json``."""

    groups: dict[str, Described]


@contextmanager
def opened(context: Context) -> Iterator[tuple[Trials, Journal]]:
    """The trials and the journal of a step whose inputs are ``model``, ``texts`` and perhaps ``imatrix``."""
    imatrix = context.inputs.get("imatrix")
    tensors = Tensors.of(
        context.inputs["model"].path(MODEL_FILE),
        read_imatrix(imatrix.path(IMATRIX_FILE)) if imatrix else None,
    )
    with (
        Journal.open(context.scratch / "journal.jsonl") as journal,
        Trials.open(
            tensors,
            texts(context.inputs["texts"], "calibration"),
            context.scratch,
            window_tokens=whole(context.spec["window_tokens"]),
            windows=whole(context.spec["windows"]),
            threads=context.threads,
        ) as trials,
    ):
        yield trials, journal


def groups_by_name(trials: Trials) -> dict[str, Group]:
    """The groups of a model, by name."""
    return {group.name: group for group in sensitivity.groups_of(trials.tensors)}
