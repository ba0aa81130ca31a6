"""A catalog, ``catalog.json`` of a site or ``model_catalog.json``, as far as a board needs it. Pure.

The format is ``model-catalog/1``; field names in the JSON differ only where this file
names both. Models are read one after another, so that a long catalog takes the memory of its text and of what is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pi_runtime.plainjson import Json, WrongJson

SCHEMA = "model-catalog/1"
EXPERIMENTAL = "experimental"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Cache:
    """Bytes that llama.cpp keeps for one sequence: per token of the full context, per token of a window, and states."""

    full: int
    window: int
    window_tokens: int
    state: int


@dataclass(frozen=True)
class Speed:
    """A measured decode speed in tokens per second. by: who shared it, None for the release's own."""

    device: str
    threads: int
    decode: float
    valid: bool
    by: str | None = None


@dataclass(frozen=True)
class Probe:
    """A task probe: right answers of all. key: its name and its language or ``""``."""

    key: tuple[str, str]
    correct: int
    total: int


@dataclass(frozen=True)
class File:
    """One GGUF file. kld: mean in nats, None for the file that the others are compared with.

    needs: bytes by context."""

    path: str
    type: str
    size_bytes: int
    sha256: str
    fallback_tensors: int
    read_bytes: int | None
    needs: tuple[tuple[int, int], ...]
    kld: float | None
    kld_error: float
    same_top: float
    perplexity: float
    passed: bool
    speeds: tuple[Speed, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Place:
    """Where a release is: a hub's address or ``folder``, a repository and its commit. manifest: its list's sha256."""

    hub: str
    repository: str
    commit: str
    manifest: str | None


@dataclass(frozen=True)
class Release:
    """One version. chats: it has a chat template. display: words of its licence that must be shown."""

    version: str
    licence: str
    display: str | None
    architecture: str
    parameters: int
    context_tokens: int
    vocabulary: int
    chats: bool
    cache: Cache | None
    files: tuple[File, ...]
    evaluation_texts: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Model:
    """Everything under one name. withdrawn: reason by version, of those that are yanked."""

    name: str
    summary: str
    task: str
    languages: tuple[str, ...]
    bad_at: tuple[str, ...]
    experimental: bool
    releases: tuple[Release, ...]
    withdrawn: dict[str, str]

    def release(self, version: str) -> Release | None:
        return next((one for one in self.releases if one.version == version), None)

    def current(self) -> Release | None:
        """The newest stable version that was not withdrawn, else the newest pre-release; None if all were."""
        some = [one for one in self.releases if one.version not in self.withdrawn]
        return max(some, key=lambda one: preference(one.version), default=None)


def preference(version: str) -> tuple[bool, tuple[int, ...], bool, tuple[tuple[int, int, str], ...], str]:
    """Sort key of semantic versions (rule 11 of https://semver.org); stable versions come after all others."""
    core, _, pre = version.partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    parts = tuple((0, int(p), "") if re.fullmatch(r"[0-9]+", p) else (1, 0, p) for p in pre.split(".") if p)
    return not pre, numbers, not pre, parts, version


def read(text: str, name: str) -> list[Model]:
    """The models of a catalog. name: how errors call it. Raises WrongJson."""
    return [_model(one) for one in _models(text, name)]


def _models(text: str, name: str) -> Iterator[Json]:
    """Each model by itself: the list as one value takes ten times the memory of its text."""
    head = re.match(r'\s*\{\s*"schema"\s*:\s*"([^"]*)"\s*,\s*"models"\s*:\s*\[\s*', text)
    if not head or head[1] != SCHEMA:
        raise WrongJson(f"{name} is not a catalog of models in the format {SCHEMA}.")
    at, decoder, count = head.end(), json.JSONDecoder(), 0
    while not text.startswith("]", at):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise WrongJson(f"{name} is not valid JSON after {count:,} models: {error}.") from error
        yield Json(value, f"{name}: models[{count}]")
        count += 1
        found = re.compile(r"\s*,?\s*").match(text, at)
        at = found.end() if found else at


def _model(data: Json) -> Model:
    maturity, yanks = data.get("maturity"), data.get("yanks")
    return Model(
        name=plain(data["name"]),
        summary=data["summary"].text,
        task=data["task"].text,
        languages=data["languages"].texts,
        bad_at=data["bad_at"].texts,
        experimental=maturity is not None and maturity.text == EXPERIMENTAL,
        releases=tuple(_release(one) for one in data["releases"].items),
        withdrawn=_withdrawn(yanks.items if yanks else []),
    )


def _withdrawn(events: list[Json]) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in events:
        version = event["version"].text
        if event["action"].text == "yank":
            found[version] = event["reason"].text
        else:
            found.pop(version, None)
    return found


def _release(data: Json) -> Release:
    shape, terms, mirrors = data["architecture"], data.get("terms"), data.get("mirrors")
    cache, display = shape.get("cache"), terms.get("display") if terms else None
    texts = [one for one in data["lineage"].items if one["role"].text == "evaluation"]
    return Release(
        version=_version(data["version"]),
        licence=data["licence"].text,
        display=display.text if display else None,
        architecture=shape["name"].text,
        parameters=shape["parameters"].whole,
        context_tokens=shape["context_tokens"].whole,
        vocabulary=shape["vocabulary_size"].whole,
        chats=shape.get("template_sha256") is not None,
        cache=_cache(cache) if cache else None,
        files=_files(data["files"]),
        evaluation_texts=tuple(sorted((one.get("sha256") or one["source"]).text for one in texts)),
        places=tuple(_place(one) for one in (data["location"], *(mirrors.items if mirrors else ()))),
    )


def _files(data: Json) -> tuple[File, ...]:
    found = tuple(_file(one) for one in data.items)
    if not found:
        raise WrongJson(f"{data.place} is empty.")
    return found


def _cache(data: Json) -> Cache:
    names = ("full_bytes_per_token", "window_bytes_per_token", "window_tokens", "state_bytes")
    return Cache(*(data[name].whole for name in names))


def _place(data: Json) -> Place:
    model = data["model"]
    manifest = model.get("manifest_sha256")
    digest = manifest.text if manifest else None
    if digest is not None and not _DIGEST.match(digest):
        raise WrongJson(f"{model.place}.manifest_sha256 is not a sha256.")
    return Place(data["hub"].text, model["name"].text, model["commit"].text, digest)


def _file(data: Json) -> File:
    loss, read_bytes, probes = data.get("loss"), data.get("read_bytes"), data.get("probes")
    digest = data["sha256"].text
    if not _DIGEST.match(digest):
        raise WrongJson(f"{data.place}.sha256 is not a sha256.")
    return File(
        path=plain(data["path"]),
        type=data["type"].text,
        size_bytes=data["size_bytes"].whole,
        sha256=digest,
        fallback_tensors=data["fallback_tensors"].whole,
        read_bytes=read_bytes.whole if read_bytes else None,
        needs=tuple((one["context_tokens"].whole, one["bytes"].whole) for one in data["memory"].items),
        kld=loss["kld_mean_nats"].number if loss else None,
        kld_error=loss["kld_mean_se_nats"].number if loss else 0.0,
        same_top=loss["same_top_share"].number if loss else 1.0,
        perplexity=data["perplexity"].number,
        passed=data["smoke_passed"].flag,
        speeds=tuple(_speed(one) for one in data["speeds"].items),
        probes=tuple(_probe(one) for one in (probes.items if probes else ())),
    )


def _speed(data: Json) -> Speed:
    speed, by = data["decode_tokens_per_second"].number, data.get("by")
    who = by.text if by else None
    return Speed(data["device"].text, data["threads"].whole, speed, data["valid"].flag, who)


def _probe(data: Json) -> Probe:
    language = data.get("language")
    key = data["probe"].text, language.text if language else ""
    return Probe(key, data["correct"].whole, data["total"].whole)


def plain(data: Json) -> str:
    """A name of a model or file that is safe in a path, an address and a terminal. Raises WrongJson for any other."""
    if not _PLAIN.match(data.text) or len(data.text) > 200:
        raise WrongJson(f"{data.place} is not a plain name.")
    return data.text


def _version(data: Json) -> str:
    version = plain(data)
    if not re.match(r"[0-9]+(\.[0-9]+){2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z", version):
        raise WrongJson(f"{data.place} is not a version.")
    return version
