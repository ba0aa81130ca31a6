"""What lists show of each model, remembered in the work folder: to read a catalog of 10,000 models takes many seconds.

While the catalog is unchanged, only this record is read. After a change, only models with a new text are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog import entries, jsontext
from catalog.index import Catalog
from catalog.release import Model
from catalog.shapes import shaped
from zoo import catalogfile
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.settings import Settings

MEMORY = "catalog-outline"
"""File in the work folder: JSON."""


@dataclass(frozen=True)
class Entry:
    """One model. state: of its preferred version. withdrawn: it has a yank that holds or held."""

    name: str
    version: str
    state: str
    languages: str
    withdrawn: bool


def entry(model: Model) -> Entry:
    """What lists show of a model."""
    release = model.preferred()[0]
    is_yanked = model.yank_of(release.version)
    state = "WITHDRAWN" if is_yanked else "experimental" if model.experimental else ""
    return Entry(model.name, release.version, state, " ".join(model.languages), bool(model.yanks))


def read(settings: Settings) -> Sequence[Entry]:
    """Every model. Raises InputError for a broken catalog."""
    stamp = _stamp(settings)
    if stamp is None:
        return [entry(model) for model in catalogfile.read(settings).models]
    known, is_now = _remembered(settings, stamp)
    if is_now:
        return list(known.values())
    made: dict[str, Entry] = {}
    with catalogfile.pieces(settings) as pieces:
        for piece in pieces:
            digest = hashlib.sha256(piece).hexdigest()
            made[digest] = known[digest] if digest in known else _of_piece(piece)
    if _stamp(settings) == stamp:
        _remember(settings, stamp, made)
    return list(made.values())


def models(settings: Settings, names: Sequence[str]) -> Catalog:
    """These models, and those that replace their withdrawn versions. Unknown names are left out. Raises InputError."""
    found: dict[str, Model] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found or (model := catalogfile.read_model(settings, name)) is None:
            continue
        found[name] = model
        todo += [event.replacement.partition("@")[0] for event in model.yanks if event.replacement]
    return Catalog(tuple(found[name] for name in sorted(found)))


def model(settings: Settings, name: str) -> Model:
    """One model. Raises InputError with the nearest name."""
    found = catalogfile.read_model(settings, name)
    if found is None:
        raise catalogfile.unknown([one.name for one in read(settings)], name, settings.root)
    return found


def _of_piece(piece: bytes) -> Entry:
    found = entries.model(piece.decode("utf-8"))
    # The file was checked a moment ago.
    if found is None:
        raise InputError("the catalog changed while it was read", remedy="Read it again")
    return entry(found)


def _stamp(settings: Settings) -> list[int] | None:
    """What differs after every change of the catalog; None for one that is quick to read, and for none."""
    try:
        found = settings.catalog.stat()
    except OSError:
        return None
    if found.st_size < catalogfile.REMEMBERED_BYTES:
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _path(settings: Settings) -> Path:
    return settings.work / MEMORY


def _rules() -> str:
    """What the record depends on besides the catalog."""
    return catalogfile.rules() + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _remembered(settings: Settings, stamp: Sequence[int]) -> tuple[Mapping[str, Entry], bool]:
    """Entries by the digest of their model's text, and whether they are those of the present catalog."""
    try:
        data = shaped(jsontext.parse(_path(settings).read_bytes(), bounded=False), dict[str, object])
        if data["rules"] != _rules():
            return {}, False
        rows = shaped(data["models"], dict[str, list[object]])
        found = {
            digest: Entry(str(name), str(version), str(state), str(languages), bool(withdrawn))
            for digest, (name, version, state, languages, withdrawn) in rows.items()
        }
        return found, data["stamp"] == list(stamp)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return {}, False


def _remember(settings: Settings, stamp: Sequence[int], made: Mapping[str, Entry]) -> None:
    rows = {digest: dataclasses.astuple(one) for digest, one in made.items()}
    text = json.dumps({"rules": _rules(), "stamp": stamp, "models": rows})
    # On a full disk the next look reads the catalog again.
    with contextlib.suppress(OSError):
        write_atomic(_path(settings), text)
