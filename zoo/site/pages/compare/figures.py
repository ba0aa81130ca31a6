"""What of a file can be compared with another: figures with their intervals, verdicts by question, sample answers.

Plain data, because ``models/NAME/compare.json`` has it for the browser (``site/assets/compare.js``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NotRequired, TypedDict

from catalog import device as devices
from catalog import guessing, jsontext
from catalog.metrics import SIGMAS, SPREAD_MAXIMUM
from catalog.release import Model, ModelFile, Release
from catalog.shapes import shaped
from catalog.words import data_size, plus_minus, rate
from zoo.choose import pick
from zoo.choose.candidates import need_bytes
from zoo.choose.speeds import place_name, speed_of
from zoo.judge.probes import report as probe_report
from zoo.site.pages.chooser import BOARD
from zoo.site.pages.text import shortened, visible

SAMPLES = 4
"""Questions whose answers are shown. They are the first by the digests of their names, so they are the same for every
model with the same probes."""
_LONGEST = 240


class Figure(TypedDict):
    """low and high are the ends of its interval, equal for an exact figure. better: 1 if more is better, else -1.
    scope: what it is relative to; only figures of one scope can be compared. kind: how differences are written."""

    key: str
    label: str
    kind: str
    better: int
    value: float
    low: float
    high: float
    text: str
    scope: str


class Sample(TypedDict):
    """A question, and by type of the file its answer and whether it is right."""

    id: str
    question: str
    answers: dict[str, tuple[str, bool]]


class Side(TypedDict):
    """A file. right: by probe, a sign for each question, 1 if its answer is right."""

    name: str
    version: str
    type: str
    path: str
    figures: list[Figure]
    right: dict[str, str]


class Comparable(TypedDict):
    """What ``compare.json`` has of a model's current release. items: by probe, a digest of its questions."""

    name: str
    version: str
    files: list[Side]
    items: dict[str, str]
    samples: list[Sample]


class _Answer(TypedDict):
    answer: str
    correct: bool


class _Item(TypedDict):
    id: str
    prompt: NotRequired[str]
    answers: dict[str, _Answer]


class _Probe(TypedDict):
    probe: str
    language: str | None
    items: list[_Item]


class _Probes(TypedDict):
    probes: list[_Probe]


def of(model: Model, release: Release, content: bytes | None) -> Comparable:
    """content: probes.json, if the release has it."""
    probes = _read(content)
    items = {_key(one["probe"], one["language"]): _digest([item["id"] for item in one["items"]]) for one in probes}
    return {
        "name": model.name,
        "version": release.version,
        "files": [_side(model, release, file, probes) for file in sorted(release.files, key=_by_size)],
        "items": items,
        "samples": _samples(probes),
    }


def _by_size(file: ModelFile) -> tuple[int, str]:
    return -file.size_bytes, file.path


def _read(content: bytes | None) -> Sequence[_Probe]:
    try:
        return shaped(jsontext.parse(content or b"null"), _Probes)["probes"]
    except ValueError:
        return ()


def _side(model: Model, release: Release, file: ModelFile, probes: Sequence[_Probe]) -> Side:
    right = {
        _key(one["probe"], one["language"]): "".join(
            "1" if item["answers"][file.type]["correct"] else "0" for item in one["items"]
        )
        for one in probes
        if all(file.type in item["answers"] for item in one["items"])
    }
    return {
        "name": model.name,
        "version": release.version,
        "type": shortened(visible(file.type), 60),
        "path": path_of(file),
        "figures": [*_sizes(release, file), *_speeds(release, file), *_losses(model, release, file), *_scores(file)],
        "right": right,
    }


def _figure(
    words: tuple[str, str], kind: str, better: int, ends: tuple[float, float, float], text: str, scope: str = ""
) -> Figure:
    key, label = words
    value, low, high = (float(f"{end:.6g}") for end in ends)
    return {"key": key, "label": label, "kind": kind, "better": better, "value": value, "low": low, "high": high,
            "text": text, "scope": scope}  # fmt: skip


def _sizes(release: Release, file: ModelFile) -> list[Figure]:
    context = min(pick.CONTEXT_TOKENS, release.architecture.context_tokens)
    size, need = file.size_bytes, need_bytes(file, release.architecture, context) if context > 0 else None
    found = [_figure(("size", "Download"), "size", -1, (size, size, size), data_size(size))]
    if need:
        label = f"Memory at {context:,} tokens, predicted"
        found.append(_figure(("memory", label), "size", -1, (need, need, need), data_size(need)))
    return found


def _speeds(release: Release, file: ModelFile) -> list[Figure]:
    """The best measured speed on each device, and the speed on the device that the site asks for first. Two measured
    speeds are equal if they differ by no more than the samples of a valid run may."""
    found: dict[str, Figure] = {}
    for one in sorted(file.speeds, key=lambda speed: speed.decode_tokens_per_second):
        value = one.decode_tokens_per_second
        if one.valid and value > 0:
            half = value * SPREAD_MAXIMUM / 2
            where = shortened(visible(place_name(one.device)), 60)
            words = f"speed:{where}", f"Decode speed on {where}, measured"
            found[where] = _figure(words, "speed", 1, (value, value - half, value + half), f"{rate(value)} tokens/s")
    board = devices.find(BOARD)
    context = min(pick.CONTEXT_TOKENS, release.architecture.context_tokens)
    if board and board.name not in found and context > 0:
        its = speed_of(file, release.architecture, board, context)
        if its.measured:
            half = its.typical * SPREAD_MAXIMUM / 2
            ends, how = (its.typical, its.typical - half, its.typical + half), "measured on the same processor"
        else:
            ends, how = (its.typical, its.low, its.high), "predicted"
        words = f"speed:{board.name}, {how}", f"Decode speed on {board.name}, {how}"
        found[board.name] = _figure(words, "speed", 1, ends, f"{rate(its.typical)} tokens/s")
    return list(found.values())


def _losses(model: Model, release: Release, file: ModelFile) -> list[Figure]:
    scope = f"{model.name} {release.version}"
    if file.loss is None:
        exact = (("kld", "KLD, nats", "kld", -1, 0.0, "0"), ("top", "Same next word", "share", 1, 1.0, "100 %"))
        return [_figure((k, label), kind, b, (v, v, v), text, scope) for k, label, kind, b, v, text in exact]
    kld, kld_se = file.loss.kld_mean_nats, SIGMAS * file.loss.kld_mean_se_nats
    top, top_se = file.loss.same_top_share, SIGMAS * (file.loss.same_top_share_se or 0.0)
    words = plus_minus(kld, file.loss.kld_mean_se_nats)
    return [
        _figure(("kld", "KLD, nats"), "kld", -1, (kld, kld - kld_se, kld + kld_se), words, scope),
        _figure(("top", "Same next word"), "share", 1, (top, top - top_se, top + top_se), f"{100 * top:.1f} %", scope),
    ]


def _scores(file: ModelFile) -> list[Figure]:
    found = []
    for one in file.probes:
        if one.total:
            low, high = guessing.wilson(one.correct, one.total)
            share, key = one.correct / one.total, _key(one.probe, one.language)
            label = f"Test: {shortened(visible(probe_report.title(one.probe)), 60)}"
            words = f"{one.correct:,} of {one.total:,} right"
            found.append(_figure((f"probe:{key}", label), "score", 1, (share, low, high), words, f"{one.total}"))
    return found


def _samples(probes: Sequence[_Probe]) -> list[Sample]:
    worded = [item for one in probes for item in one["items"] if "prompt" in item]
    worded.sort(key=lambda item: hashlib.sha256(item["id"].encode()).digest())
    return [
        {
            "id": visible(item["id"]),
            "question": shortened(visible(item.get("prompt", "")), _LONGEST),
            "answers": {
                shortened(visible(type_), 60): (shortened(visible(one["answer"]), _LONGEST), one["correct"])
                for type_, one in item["answers"].items()
            },
        }
        for item in worded[:SAMPLES]
    ]


def _key(probe: str, language: str | None) -> str:
    return visible(f"{probe}:{language or ''}")


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


def path_of(file: ModelFile) -> str:
    """The path as it is shown."""
    return visible(file.path)
