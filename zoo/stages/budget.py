"""budget: the file with the least measured loss within a number of bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import budgets
from catalog.quants import LADDER, QUANTS
from catalog.recipe import build
from zoo.errors import ModelFileError
from zoo.gguf import caches
from zoo.gguf.facts import header_facts
from zoo.gguf.header import read_header
from zoo.llama.measure.lockstep import compare_window, opened
from zoo.llama.measure.windows import tokens_sha256
from zoo.llama.quantize import presets
from zoo.llama.quantize.mix import Content, write_mix
from zoo.llama.search import search, sensitivity
from zoo.llama.search.knapsack import OverBudget
from zoo.llama.search.search import Found, Search
from zoo.llama.search.trials import Trials
from zoo.stages import Context, Facts
from zoo.stages import sensitivity as sensitivities
from zoo.stages.artifact import MODEL_FILE
from zoo.stages.quantize import CACHE

HEADER_BYTES = 16_384
"""Kept free for extra keys in a quantized file's header, and for its wording, which a schema limits to 4 KB."""
WORDING_BYTES = 8_192
"""The part that stays free for the wording."""


@dataclass(frozen=True)
class Spec:
    """label: the budget as the file is named. limit: the bytes, or what a board has free; see ``budgets.limit``."""

    label: str
    limit: dict[str, int | str]


class MeasuredOn(TypedDict):
    """The text that complete mixes were measured on."""

    what: str
    window_tokens: int
    windows: int
    scored_tokens_per_window: int
    tokens_sha256: str


class Account(TypedDict):
    """How the types were found. KLDs are of the search's text; weights_only: of the mix before its file was written."""

    limit: dict[str, int | str]
    limit_bytes: int
    types: dict[str, str]
    predicted_kld_nats: float
    weights_only_kld_nats: float
    weights_only_kld_se_nats: float
    measured_kld_nats: float
    measured_kld_se_nats: float
    measured_on: MeasuredOn
    contenders: list[search.Contender]
    swaps: list[search.Swap]


def run(context: Context) -> Facts:
    """Writes ``model.gguf``; the facts are its header, its tensors' types, and how these were found."""
    spec: Spec = build(Spec, context.spec)
    source = context.inputs["model"].path(MODEL_FILE)
    header = read_header(source)
    limit = budgets.file_bytes(spec.limit, caches.cache_of(header), header.vocabulary_size)
    target = context.out / MODEL_FILE
    with sensitivities.opened(context) as (trials, journal):
        known: sensitivities.Record = build(
            sensitivities.Record, context.inputs["sensitivity"].json(sensitivities.FILE)
        )
        room = limit - trials.tensors.other_bytes - HEADER_BYTES
        hunt = Search(
            trials, sensitivities.groups_by_name(trials), known.groups, journal, room, context.report
        )
        try:
            found = hunt.run(_presets(source, trials))
        except OverBudget as error:
            raise _too_small(spec, limit, error.missing_bytes) from error
        made = _write(context, trials, found, limit, target)
        measured = _measure(trials, target)
        account = _account(spec, trials, found, limit, measured)
    context.report.say(
        f"{spec.label}: {target.stat().st_size:,} of {limit:,} bytes; KLD on the search's text "
        f"{account['predicted_kld_nats']:.4f} nats predicted, {account['measured_kld_nats']:.4f} measured"
    )
    facts = header_facts(target)
    return {
        **facts,
        "quantize": {
            "type_name": spec.label,
            "size_bytes": target.stat().st_size,
            "bits_per_weight": made,
            "tensor_types": dict(sorted(Counter(t.type_name for t in read_header(target).tensors).items())),
            "fallbacks": [],
            "imatrix_sha256": trials.tensors.imatrix.sha256() if trials.tensors.imatrix else None,
            "budget": account,
        },
    }


def _presets(source: Path, trials: Trials) -> dict[str, dict[str, str]]:
    weighed = trials.tensors.imatrix is not None
    compared = [name for name in LADDER if QUANTS[name].compared]
    return {name: presets.choose(source, name, with_imatrix=weighed).types for name in compared}


def _too_small(spec: Spec, limit_bytes: int, missing_bytes: int) -> ModelFileError:
    least = limit_bytes + missing_bytes
    return ModelFileError(
        f"no choice of types meets the budget {spec.label}: the smallest file that can be made has "
        f"{least:,} bytes, {missing_bytes:,} more than the {limit_bytes:,} allowed",
        safe="Nothing was written",
        remedy=f"Allow at least {-(-least // 10**5) / 10:.1f}MB in quantize.budgets, or use a smaller student",
    )


def _write(context: Context, trials: Trials, found: Found, limit_bytes: int, target: Path) -> float:
    """Write the file; returns its bits per weight."""
    made = write_mix(
        trials.tensors.path,
        target,
        Content(found.types, trials.tensors.imatrix, file_type=_file_type(trials, found)),
        cache_folder=context.work / CACHE,
        threads=context.threads,
        report=context.report,
    )
    if made.size_bytes > limit_bytes - WORDING_BYTES:
        raise ModelFileError(
            f"the file has {made.size_bytes:,} bytes and gets up to {WORDING_BYTES:,} of words, more than the "
            f"{limit_bytes:,} allowed",
            remedy="Report this as a bug",
        )
    return made.bits_per_weight


def _file_type(trials: Trials, found: Found) -> int:
    """llama.cpp has one number per file: that of the type with the most weights."""
    held: Counter[str] = Counter()
    for name, type_name in found.types.items():
        held[type_name] += trials.tensors.matrices[name].weights
    most = max(sorted(held), key=held.__getitem__)
    return next((QUANTS[name].number for name in (most, f"{most}_M") if name in QUANTS), 1024)


def _measure(trials: Trials, path: Path) -> list[float]:
    """KLD of the finished file itself, per window of the search."""
    with opened({"": path}, len(trials.windows[0].tokens)) as models:
        return [
            float(compare_window(models[""], window, expected).kld_nats.mean())
            for window, expected in zip(trials.windows, trials.expected, strict=True)
        ]


def _account(spec: Spec, trials: Trials, found: Found, limit_bytes: int, measured: list[float]) -> Account:
    return {
        "limit": spec.limit,
        "limit_bytes": limit_bytes,
        "types": dict(sorted(found.types.items())),
        "predicted_kld_nats": found.predicted_nats,
        "weights_only_kld_nats": found.measured_nats,
        "weights_only_kld_se_nats": found.measured_se_nats,
        "measured_kld_nats": sensitivity.mean(measured),
        "measured_kld_se_nats": search.standard_error(measured),
        "measured_on": {
            "what": "the search's own text; held-out text is in evaluation.json",
            "window_tokens": len(trials.windows[0].tokens),
            "windows": len(trials.windows),
            "scored_tokens_per_window": len(trials.windows[0].targets),
            "tokens_sha256": tokens_sha256(trials.windows),
        },
        "contenders": list(found.contenders),
        "swaps": list(found.swaps),
    }
