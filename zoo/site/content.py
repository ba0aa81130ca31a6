"""The pages of each model: makes what is new, in several processes if there is much of it."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalog import entries, index, plainfiles
from catalog import history as formats
from catalog.paths import unsafe_reason
from catalog.release import EvidenceFile, Model
from catalog.shapes import shaped
from zoo import catalogfile
from zoo.choose import reported
from zoo.errors import InputError, ZooError
from zoo.history import store
from zoo.machine import resources
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.site import pages, shared, state
from zoo.site.pages import lean
from zoo.site.pages.links import evidence_path
from zoo.site.shared import Shared
from zoo.site.state import Part, Stamp

SAFE = "The existing site is unchanged"
_NO_CATALOG = 'Restore it, or start with an empty one: {"schema": "model-catalog/1", "models": []}'
MODEL = "model "
"""Begins the name of a model's part."""

_BATCH = 25
"""Models that one process makes at a time; fewer new ones are made in this process."""


@dataclass(frozen=True)
class _Piece:
    """A model as the catalog has it, what a watch found of it, its files that the site carries, what was shared, and
    the history of its speed."""

    text: str
    drift: pages.Drift | None
    carried: tuple[str, ...]
    shared: Shared
    history: bytes

    def digest(self) -> str:
        """Changes with everything that its pages show of it."""
        history = hashlib.sha256(self.history).hexdigest() if self.history else ""
        return f"{self.drift!r}\n{self.carried!r}\n{shared.digest(self.shared)}\n{history}\n{self.text}"


@dataclass(frozen=True)
class _Job:
    """What makes the files of models: where evidence lies, where files go, and what their pages know of the site."""

    evidence: Path
    folder: Path
    site: pages.Site


def check_catalog(settings: Settings) -> index.Catalog:
    """The catalog. Raises InputError with every problem of it."""
    text = read_text(settings)
    if len(text) > catalogfile.WHOLE_BYTES:
        return catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
    catalog, problems = index.parse(text, settings.shown(settings.catalog))
    if problems:
        raise InputError("\n".join(["the catalog is invalid:", *map(str, problems)]), safe=SAFE)
    return catalog


def read_text(settings: Settings) -> str:
    """The text of the catalog. Raises InputError if it cannot be read."""
    try:
        handle = plainfiles.open_handle(settings.catalog)
        with os.fdopen(handle, "rb") as stream:
            catalogfile.refuse_too_large(handle, settings.shown(settings.catalog))
            return stream.read(catalogfile.MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        what = f"the catalog cannot be read: {reason}"
        where = settings.shown(settings.catalog)
        raise InputError(what, where=where, safe=SAFE, remedy=_NO_CATALOG) from error


def pieces(settings: Settings) -> list[str]:
    """The text of each model. A catalog in another form than ours is checked whole and written out first."""
    text = read_text(settings)
    found = entries.split(text)
    if found is None:
        found = entries.split(index.to_text(check_catalog(settings)))
    return found or []


def build(
    settings: Settings,
    site: pages.Site,
    program_key: str,
    old: Mapping[str, Part],
    new: Path,
    report: Reporter,
) -> dict[str, Part]:
    """Put the files of every model into ``new``; returns the parts by name, in the order of the models' names.
    Raises InputError for an unsound catalog."""
    texts = pieces(settings)
    # What a watch found changes every day, so of that each model depends on its own part only.
    lasting = dataclasses.replace(site, drift=None, carried=frozenset())
    drifts = site.drift.by_model() if site.drift else {}
    carried = _by_model(site.carried)
    names = [entries.name(text) for text in texts]
    measured = shared.read(settings, dict(zip(names, texts, strict=True)))
    pieces_of = [
        _Piece(
            text,
            drifts.get(name),
            carried.get(name, ()),
            measured.get(name, {}),
            store.content(settings.evidence, name),
        )
        for text, name in zip(texts, names, strict=True)
    ]
    base = hashlib.sha256(f"{program_key}\n{lasting!r}\n".encode()).digest()
    keys = [hashlib.sha256(base + one.digest().encode()).hexdigest() for one in pieces_of]
    by_key = {part.key: (name, part) for name, part in old.items()}
    parts: list[tuple[str, Part] | None] = []
    old_folder = settings.site.resolve()
    for key in keys:
        name, part = by_key.get(key, ("", None))
        taken = state.take_over(part, key, old_folder, new)
        parts.append((name, part) if taken and part else None)
    missing = [number for number, part in enumerate(parts) if part is None]
    job = _Job(settings.evidence.resolve(), new, lasting)
    with report.task("Pages of models", len(missing), "models") as advance:
        for number, made in zip(missing, _made(job, [pieces_of[n] for n in missing]), strict=True):
            if isinstance(made, str):
                check_catalog(settings)
                raise ZooError(made, safe=SAFE, remedy="Restore the file: only zoo writes it")
            name, part = made
            parts[number] = f"{MODEL}{name}", dataclasses.replace(part, key=keys[number])
            advance(1)
    found = [part for part in parts if part is not None]
    _check_order([name for name, _ in found], settings)
    return dict(found)


def _by_model(carried: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The same addresses by the name of their model, in order."""
    found: dict[str, list[str]] = {}
    for path in sorted(carried):
        found.setdefault(path.split("/")[1], []).append(path)
    return {name: tuple(paths) for name, paths in found.items()}


def _check_order(names: Sequence[str], settings: Settings) -> None:
    if list(names) != sorted(set(names)):
        check_catalog(settings)
        raise InputError(
            "the models in the catalog must be sorted by name, and each name may appear only once", safe=SAFE
        )


def _made(job: _Job, some: Sequence[_Piece]) -> Iterator[tuple[str, Part] | str]:
    """(name, part) of each model, in order; a sentence for one that could not be made."""
    workers = min(resources.processors().threads, len(some) // _BATCH)
    if workers < 2:
        yield from (_make(job, one) for one in some)
        return
    batches = [some[start : start + _BATCH] for start in range(0, len(some), _BATCH)]
    # Not fork: this process may have threads. The program is imported once more in each, which takes a moment.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for made in pool.map(_make_batch, [job] * len(batches), batches):
            yield from made


def _make_batch(job: _Job, some: Sequence[_Piece]) -> list[tuple[str, Part] | str]:
    return [_make(job, one) for one in some]


def _make(job: _Job, piece: _Piece) -> tuple[str, Part] | str:
    model = entries.model(piece.text)
    if model is None:
        return "a model in the catalog is invalid"
    try:
        evidence, sources = _evidence(model, job.evidence)
        evidence |= shared.files(piece.shared)
        model = reported.joined(model, piece.shared)
        site = dataclasses.replace(job.site, drift=piece.drift, carried=frozenset(piece.carried))
        seen = {**evidence, ("", formats.FILE): piece.history}
        made = pages.make_each(model, site, lambda version, path: seen.get((version, path)))
    except (_BadEvidence, pages.PathTaken) as error:
        return str(error)
    copies = {evidence_path(model.name, *place): content for place, content in evidence.items()}
    written = Part("", write_files(job.folder, {**copies, **made.files}), sources)
    return model.name, state.with_facts(written, shaped(made.facts, dict[str, object]))


class _BadEvidence(Exception):
    """An evidence file is not what the catalog lists; the message names it."""


def _evidence(
    model: Model, folder: Path
) -> tuple[dict[tuple[str, str], bytes], dict[str, tuple[Stamp, str]]]:
    """Evidence files by (version, path), each as the catalog lists it, and what their sources are known by."""
    found, sources = {}, {}
    for release in model.releases:
        for file in release.evidence:
            source = folder / model.name / release.version / file.path
            found[release.version, file.path] = _checked(file, source, f"{model.name}/{release.version}")
            sources[str(source)] = state.stamp(str(source)) or (0, 0), file.sha256
    return found, sources


def _checked(file: EvidenceFile, source: Path, place: str) -> bytes:
    """Only what the catalog lists, and only if it still is what the catalog says."""
    if unsafe_reason(file.path) or source.is_symlink() or not source.is_file():
        raise _BadEvidence(f"evidence {place}/{file.path} is listed in the catalog but was not found")
    content = plainfiles.read_bytes(source, file.size_bytes + 1)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _BadEvidence(
            f"evidence {place}/{file.path} differs from the catalog: its sha256 is another one"
        )
    return content


def write_files(folder: Path, files: pages.Files) -> dict[str, Stamp]:
    """Write files below ``folder``, pages in as few bytes as they need; returns their stamps."""
    for path, content in files.items():
        place = folder / path
        state.make_room(place)
        if isinstance(content, str) and path.endswith("index.html"):
            content = lean.lean(content)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return state.stamps(folder, files)
