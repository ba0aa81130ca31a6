"""What the pages about all models need of each one, and the compact data that the browser chooses from.

``facts`` keeps the newest release that is not yanked and every yanked one, without their texts; ``entries`` makes of
them what ``zoo.choosing`` works on; ``packed`` is chooser.json, columns of plain values that compress well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from catalog.recipe import build, plain
from catalog.release import Model, ModelFile, RecipeRecord, Release
from zoo import choosing, picks, roofline
from zoo.choosing import Entry, Hint, Merit
from zoo.pages import links
from zoo.pages.kinds import Evidence, Files, Kind, Made, Site
from zoo.pages.text import visible

_NO_RECIPE = RecipeRecord("", "", "")
DATA = "chooser.json"
Facts = Mapping[str, Any]


def facts(model: Model) -> dict[str, Any]:
    """Plain data of one model. ``current`` is the place of the current release among those kept, or None; ``columns``
    are the rows of chooser.json."""
    current = picks.current(model)
    kept = [r for r in model.releases if r is current or model.yank_of(r.version)]
    yanks = [model.yank_of(r.version) for r in kept]
    return {
        "name": model.name,
        "summary": model.summary,
        "task": model.task,
        "languages": list(model.languages),
        "release": plain(_light(current)) if current else None,
        "yanked": [visible(yank.reason) if yank else "" for yank in yanks],
        "current": next((i for i, r in enumerate(kept) if r is current), None),
        "merit": plain(choosing.merit(current)) if current else None,
        "hint": _hint(current) if current else None,
        "columns": [_release(model.name, release) for release in kept],
    }


def entries(some: Iterable[Facts]) -> list[Entry]:
    """The models that may be chosen."""
    return [_entry(one) for one in some if one["current"] is not None]


def _entry(one: Facts) -> Entry:
    return Entry(
        one["name"],
        one["task"],
        tuple(one["languages"]),
        build(Merit, one["merit"]),
        lambda: build(Release, one["release"]),
        Hint(dict(one["hint"][0]), *one["hint"][1:]),
    )


def _hint(release: Release) -> list[Any]:
    found = choosing.hint(release)
    return [list(found.least_bytes.items()), found.smallest_bytes, dict(found.measured)]


def _light(release: Release) -> Release:
    """A release without what no table and no choice looks at."""
    return dataclasses.replace(
        release,
        training=None,
        dataset=None,
        lineage=tuple(a for a in release.lineage if a.role == "evaluation"),
        evidence=tuple(
            e for e in release.evidence if e.path in {s.evidence for f in release.files for s in f.speeds}
        ),
        tools=(),
        recipe=_NO_RECIPE,
    )


def of_all(facts: Sequence[Facts]) -> list[Facts]:
    """The facts of this kind among those of every kind."""
    return [one[KIND.name] for one in facts]


def data_url(some: Sequence[Facts]) -> str:
    """Address of chooser.json from the site's root; another one when its content is another."""
    sha = hashlib.sha256(json.dumps([_rules(), [_device(device) for device in devices.DEVICES]]).encode())
    for one in some:
        sha.update(one["digest"].encode())
    return f"{DATA}?v={sha.hexdigest()[:8]}"


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    found = facts(model)
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
    return Made({}, {**found, "digest": digest})


def _whole(facts: Sequence[Facts], site: Site) -> Files:
    del site
    return {DATA: packed_text(of_all(facts))}


KIND = Kind("offers", _each, _whole)


# --- chooser.json


def packed_text(some: Sequence[Facts]) -> str:
    """chooser.json."""
    return json.dumps(packed(some), ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


class _Words:
    """Texts that come again and again, each once."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        text = visible(text)
        place = self._places.setdefault(text, len(self.list))
        if place == len(self.list):
            self.list.append(text)
        return place


_WORDS = frozenset(("licence", "type", "ggml"))
"""Columns of texts that come again and again."""


def packed(some: Sequence[Facts]) -> dict[str, Any]:
    """Everything that ``core.js`` unpacks: one list per column."""
    words = _Words()
    words("")
    releases = [column for one in some for column in one["columns"]]
    files = [file for release in releases for file in release["files"]]
    told = {
        "rules": _rules(),
        "devices": [_device(device) for device in devices.DEVICES],
        "models": {
            "name": [one["name"] for one in some],
            "task": [words(one["task"]) for one in some],
            "languages": [[words(language) for language in one["languages"]] for one in some],
        },
        "releases": {
            "model": [place for place, one in enumerate(some) for _ in one["columns"]],
            "yanked": [reason for one in some for reason in one["yanked"]],
            "files": [len(release["files"]) for release in releases],
            **_columns([release["own"] for release in releases], words),
        },
        "files": _columns(files, words),
        "orders": _orders(some),
    }
    return {**told, "words": words.list}


def _columns(rows: Sequence[Mapping[str, Any]], words: _Words) -> dict[str, list[Any]]:
    return {name: [_value(name, row[name], words) for row in rows] for name in (rows[0] if rows else ())}


def _value(name: str, value: Any, words: _Words) -> Any:
    if name == "speeds":
        return [[words(place), *rest] for place, *rest in value] or 0
    return words(value) if name in _WORDS else value


def _release(name: str, release: Release) -> dict[str, Any]:
    """What packed says of a release: its own values, and those of its files."""
    shape = release.architecture
    own = {
        "version": release.version,
        "date": release.date,
        "licence": release.licence,
        "parameters": shape.parameters,
        "context": shape.context_tokens,
        "vocabulary": shape.vocabulary_size,
        "hub": _hub(release),
    }
    return {"own": own, "files": [_file(name, release, file) for file in release.files]}


def _file(name: str, release: Release, file: ModelFile) -> dict[str, Any]:
    return {
        "path": visible(file.path),
        "type": file.type,
        "ggml": roofline.ggml_type(file) or "",
        "size": file.size_bytes,
        "bits": round(file.bits_per_weight, 2),
        "perToken": roofline.kv_bytes_per_token(file, release.architecture.vocabulary_size),
        "listed": _listed(file, release),
        "loss": _loss(file),
        "smoke": int(file.smoke_passed),
        "speeds": _speeds(name, release, file),
    }


def _rules() -> dict[str, Any]:
    return {
        "context_tokens": picks.CONTEXT_TOKENS,
        "tolerance_nats": picks.TOLERANCE.kld_mean_nats,
        "tolerance_top": picks.TOLERANCE.same_top_share,
        "loss_limit": choosing.LOSS_LIMIT,
        "runners_up": choosing.RUNNERS_UP,
        "ubatch_tokens": memory.UBATCH_TOKENS,
        "caution": roofline.CAUTION,
        "reserve_share": devices.RESERVE_SHARE,
        "least_reserve_bytes": devices.LEAST_RESERVE_BYTES,
        "most_bandwidth": devices.MOST_BANDWIDTH,
    }


def _device(device: Device) -> dict[str, Any]:
    figure = device.bandwidth_bytes_per_second
    return {
        "id": device.id,
        "name": device.name,
        "free": device.free_bytes,
        "bandwidth": [figure.low, figure.typical, figure.high],
        "single": figure.reports == 1,
        "cores": device.cores,
        "kernels": {kernel.type: kernel.bytes_per_second_per_core for kernel in device.kernels},
    }


def _hub(release: Release) -> list[str] | int:
    """Repository and commit, where a command may name them; else 0."""
    location = release.location
    url = links.repository_url(location)
    return [location.model.name, location.model.commit] if url else 0


def _listed(file: ModelFile, release: Release) -> dict[str, int] | int:
    """Memory needs that the formula does not give, by context length; else 0."""
    vocabulary = release.architecture.vocabulary_size
    per_token = roofline.kv_bytes_per_token(file, vocabulary)
    found = {}
    for need in file.memory:
        context = need.context_tokens
        if per_token is None or need.bytes != memory.need_bytes(
            file.size_bytes, per_token * context, vocabulary, context
        ):
            found[str(context)] = need.bytes
    return found or 0


def _loss(file: ModelFile) -> list[float] | int:
    loss = file.loss
    return [loss.kld_mean_nats, loss.kld_mean_se_nats, loss.same_top_share] if loss else 0


def _speeds(name: str, release: Release, file: ModelFile) -> list[list[Any]]:
    """[device, threads, tokens/s, valid, address of the evidence or 0] of each measurement."""
    return [
        [
            speed.device,
            speed.threads,
            speed.decode_tokens_per_second,
            int(speed.valid),
            links.evidence_url(name, release, speed.evidence) or 0,
        ]
        for speed in file.speeds
    ]


def _orders(some: Sequence[Facts]) -> dict[str, Any]:
    """The catalog's order for any language, for one without probes (``none``), and ``in LANGUAGE`` with them."""
    places, at = {}, 0
    for one in some:
        if one["current"] is not None:
            places[one["name"]] = at + one["current"]
        at += len(one["columns"])
    ready = entries(some)
    spoken = {s.language for entry in ready for s in entry.merit.probes if s.language}
    orders = {"any": _order(choosing.rank(ready), places)}
    orders["none"] = _order(choosing.rank(ready, ""), places)
    for language in sorted(spoken):
        orders[f"in {language}"] = _order(choosing.rank(ready, language), places)
    return orders


def _order(ranked: Sequence[choosing.Ranked], places: Mapping[str, int]) -> dict[str, list[int]]:
    return {
        "release": [places[one.entry.name] for one in ranked],
        "correct": [one.share.correct if one.share else 0 for one in ranked],
        "total": [one.share.total if one.share else 0 for one in ranked],
    }
