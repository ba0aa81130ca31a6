"""chooser.json: everything that the browser chooses from, as columns of plain values, which compress well.

Texts that come again and again stand once, in ``words``; a path or an address that holds the model's name, its version,
the file's type or the device has a sign in its place, so that those of a thousand models are one text. ``unpack`` in
``site/assets/core.js`` reads it, and a test compares what both sides choose.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypedDict

from catalog import access, licences, memory
from catalog import device as devices
from catalog.device import Device
from catalog.jsontext import Json, JsonObject
from catalog.release import ModelFile, Release, Speed
from zoo.choose import candidates, chooser, commands, pick, ranking, roofline
from zoo.choose.domination import SLOWER_SHARE
from zoo.choose.ranking import Entry
from zoo.site.pages import links, runit
from zoo.site.pages.kinds import Site
from zoo.site.pages.text import visible

Row = list[Json]
"""The columns of a release, a file or a speed; the last column of the first two has rows of its own."""


class Facts(TypedDict):
    """What is packed of one model. current: the place of the current release among those kept; releases: their rows."""

    name: str
    task: str
    languages: list[str]
    yanked: list[str]
    current: int | None
    experimental: bool
    releases: list[Row]


_NAME, _VERSION, _TYPE, _DEVICE = "\x01", "\x02", "\x03", "\x04"
"""Stand for what a text holds. No visible text has such a sign."""


class _Words:
    """Texts that come again and again, each once."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._places: dict[str, int] = {}
        self("")

    def __call__(self, text: str) -> int:
        place = self._places.setdefault(text, len(self.list))
        if place == len(self.list):
            self.list.append(text)
        return place


_RELEASE = (
    "version", "licence", "parameters", "context", "vocabulary", "completes", "source", "repository", "commit", "base",
    "files",
)  # fmt: skip
_FILE = (
    "path", "type", "ggml", "size", "bits", "read", "judged", "cache", "listed", "kld", "se", "top", "smoke", "here",
    "speeds",
)  # fmt: skip
_SPEED = ("place", "threads", "speed", "valid", "evidence", "by")
_WORDS = frozenset(
    ("version", "licence", "source", "repository", "base", "path", "type", "ggml", "place", "evidence", "by")
)
"""Columns of texts."""

_COUNTED = frozenset(("files", "speeds"))
"""Columns of rows."""


def release_row(name: str, release: Release, carried: Set[str] = frozenset()) -> Row:
    """The columns of a release, its last one with those of its files. carried: as in ``Site``."""
    shape, location = release.architecture, release.location
    closed = access.is_closed(location)
    known = None if closed else links.repository_url(location)
    version = visible(release.version)
    return [
        version,
        visible(licences.in_words(release.licence)),
        shape.parameters,
        shape.context_tokens,
        shape.vocabulary_size,
        int(commands.completes(release)),
        visible(release.quantized_source or ""),
        _sign(location.model.name, {name: _NAME, version: _VERSION}) if known else "",
        _commit(location.model.commit) if known else "=",
        "" if known else runit.base_address(release) or ("folder" if runit.is_in_folder(release) else ""),
        [*(_file_row(name, release, file, carried) for file in release.files)],
    ]


def _file_row(name: str, release: Release, file: ModelFile, carried: Set[str]) -> Row:
    loss, type_ = file.loss, visible(file.type)
    signs = {name: _NAME, visible(release.version): _VERSION, type_: _TYPE}
    return [
        _sign(file.path, signs),
        type_,
        roofline.ggml_type(file) or "",
        file.size_bytes - about(release.architecture.parameters, _hundredths(file)),
        _hundredths(file),
        file.read_bytes,
        int(roofline.judged(file, release.architecture)),
        _cache(file, release),
        _listed(file, release),
        loss.kld_mean_nats if loss else None,
        loss.kld_mean_se_nats if loss else 0,
        loss.same_top_share if loss else 1,
        int(file.smoke_passed),
        runit.here(name, release.version, file.path, carried),
        [_speed_row(name, release, speed, signs) for speed in file.speeds],
    ]


def _hundredths(file: ModelFile) -> int:
    """Bits per weight, in hundredths."""
    return round(100 * round(file.bits_per_weight, 2))


def about(parameters: int, hundredths: int) -> int:
    """The bytes of so many parameters with so many hundredths of a bit; the size of a file is near it, and what
    differs has fewer digits. 0 where the browser cannot compute it exactly."""
    product = parameters * hundredths
    return product // 800 if product < 2**53 else 0


def _commit(commit: str) -> str:
    """The digits of a commit by their bytes, of which a third are fewer; another text after a sign."""
    if re.fullmatch(r"(?:[0-9a-f]{2})+", commit):
        return base64.b64encode(bytes.fromhex(commit)).decode()
    return f"={commit}"


def _speed_row(name: str, release: Release, speed: Speed, signs: Mapping[str, str]) -> Row:
    place, url = visible(speed.device), links.evidence_url(name, release, speed.evidence)
    return [
        place,
        speed.threads,
        speed.decode_tokens_per_second,
        int(speed.valid),
        _sign(url, {**signs, place: _DEVICE}) if url else "",
        visible(speed.by or ""),
    ]


def _sign(text: str, signs: Mapping[str, str]) -> str:
    """The text with signs for what it holds; the browser puts it back."""
    text = visible(text)
    for part, sign in signs.items():
        text = text.replace(part, sign) if part else text
    return text


def text(some: Sequence[Facts], ready: Sequence[Entry], site: Site) -> str:
    """chooser.json, from the facts of all models and those that may be chosen."""
    return json.dumps(packed(some, ready, site), ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def packed(some: Sequence[Facts], ready: Sequence[Entry], site: Site) -> dict[str, object]:
    """Everything that ``core.js`` unpacks: one list per column."""
    words = _Words()
    releases = [row for one in some for row in one["releases"]]
    files = _below(releases)
    speeds = _below(files)
    told: dict[str, object] = {
        **rules(site),
        "models": {
            "name": [one["name"] for one in some],
            "task": [words(visible(one["task"])) for one in some],
            "experimental": [int(one["experimental"]) for one in some],
            "languages": [[words(visible(language)) for language in one["languages"]] for one in some],
        },
        "releases": {
            "model": [place for place, one in enumerate(some) for _ in one["releases"]],
            "yanked": [words(reason) for one in some for reason in one["yanked"]],
            **_columns(_RELEASE, releases, words),
        },
        "files": _columns(_FILE, files, words),
        "speeds": _columns(_SPEED, speeds, words),
        "order": _order(some, ready),
        "shares": _shares(ready),
    }
    return {**told, "words": words.list}


def _below(rows: Iterable[Row]) -> list[Row]:
    """The rows of what each row holds: its last column."""
    last = [row[-1] for row in rows]
    return [row for some in last if isinstance(some, list) for row in some if isinstance(row, list)]


def _columns(names: Sequence[str], rows: Iterable[Row], words: _Words) -> dict[str, Row]:
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    return {name: _column(name, columns.get(name, []), words) for name in names}


def _column(name: str, values: Row, words: _Words) -> Row:
    if name in _WORDS:
        return [words(str(value)) for value in values]
    # Of what belongs to a row, the number.
    return [len(value) if isinstance(value, list) else value for value in values] if name in _COUNTED else values


def rules(site: Site) -> dict[str, object]:
    """What is the same for every catalog: the figures of the rules, the devices, and how files are run."""
    known = [_device(device) for device in devices.DEVICES]
    return {"rules": _rules(), "devices": known, "run": runit.rules(site)}


def _rules() -> dict[str, object]:
    return {
        "context_tokens": pick.CONTEXT_TOKENS,
        "tolerance_nats": pick.TOLERANCE.kld_mean_nats,
        "slower_share": SLOWER_SHARE,
        "tolerance_top": pick.TOLERANCE.same_top_share,
        "loss_limit": candidates.LOSS_LIMIT,
        "reading_speed": candidates.READING,
        "roomy_share": candidates.ROOMY_SHARE,
        "faster": chooser.FASTER,
        "kv_types": memory.KV_TYPES,
        "kv_type": memory.KV_TYPE,
        "runners_up": chooser.RUNNERS_UP,
        "ubatch_tokens": memory.UBATCH_TOKENS,
        "cell_tokens": memory.CELL_TOKENS,
        "caution": roofline.CAUTION,
        "cost_spread": roofline.COST_SPREAD,
        "token_seconds": devices.token_costs()["processor"],
        "reserve_share": devices.RESERVE_SHARE,
        "least_reserve_bytes": devices.LEAST_RESERVE_BYTES,
        "most_bandwidth": devices.MOST_BANDWIDTH,
    }


def _device(device: Device) -> dict[str, object]:
    figure = device.bandwidth_bytes_per_second
    return {
        "id": device.id,
        "name": device.name,
        "systems": runit.systems_of(device),
        "small": runit.is_small(device),
        "free": device.free_bytes,
        "reserve": device.reserve_bytes,
        "sisters": devices.sisters(device.id),
        "fixed": device.token_seconds,
        "bandwidth": [figure.low, figure.typical, figure.high],
        "single": figure.reports == 1,
        "cores": device.cores,
        "kernels": {kernel.type: kernel.bytes_per_second_per_core for kernel in device.kernels},
    }


def _cache(file: ModelFile, release: Release) -> Json:
    """Bytes per token of the context; where not all layers keep all of it, also those of windows, and states."""
    cache = roofline.cache_of(file, release.architecture)
    if cache is None:
        return None
    more = [cache.window_bytes_per_token, cache.window_tokens, cache.state_bytes]
    return [cache.full_bytes_per_token, *more] if any(more) else cache.full_bytes_per_token


def _listed(file: ModelFile, release: Release) -> Json:
    """Memory needs that the formula does not give, by context length; else 0."""
    shape = release.architecture
    cache = roofline.cache_of(file, shape)
    found: JsonObject = {}
    for need in file.memory:
        context = need.context_tokens
        if cache is None or need.bytes != memory.need_bytes(
            file.size_bytes, cache, shape.vocabulary_size, context
        ):
            found[str(context)] = need.bytes
    return found or 0


def _places(some: Sequence[Facts]) -> dict[str, int]:
    """The place of the current release of each model that has one."""
    places, at = {}, 0
    for one in some:
        if one["current"] is not None:
            places[one["name"]] = at + one["current"]
        at += len(one["releases"])
    return places


def _order(some: Sequence[Facts], ready: Sequence[Entry]) -> list[int]:
    """The current releases in the catalog's order, as it is for a language without probes."""
    places = _places(some)
    return [places[one.entry.name] for one in ranking.rank(ready, "")]


def _shares(ready: Sequence[Entry]) -> dict[str, dict[str, list[Json]]]:
    """The probe answers that were right, and all, of each release in that order: ``any`` language, ``in LANGUAGE``.
    guessing: the right answers that guessing gives, of releases that are no better; else null. begins: 1 for the
    first of each tier. ``none`` is a language without probes."""
    spoken = {score.language for entry in ready for score in entry.merit.probes if score.language}
    order = [one.entry.name for one in ranking.rank(ready, "")]
    found: dict[str, dict[str, list[Json]]] = {}
    languages = [("any", None), ("none", ""), *((f"in {one}", one) for one in sorted(spoken))]
    for key, language in languages:
        ranked = {one.entry.name: one for one in ranking.rank(ready, language)}
        some = [(ranked[name], ranked[name].share) for name in order]
        found[key] = {
            "correct": [share.correct if share else 0 for _, share in some],
            "total": [share.total if share else 0 for _, share in some],
            "guessing": [share.by_guessing if share and one.at_chance else None for one, share in some],
            "begins": [int(one.begins) for one, _ in some],
        }
    return found
