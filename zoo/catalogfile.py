"""The catalog file: reading it, finding models in it, and changing it under its lock.

Checking a catalog of thousands of models takes many seconds. So the work folder records what was checked: the file by
its size, times and inode, and each model's text by its digest. While the file is unchanged, a model is found without
reading the others; after a manual change only new texts are checked.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from catalog import conflicts, entries, index, jsontext, plainfiles, schema, shell, yanks
from catalog.problems import Problem, show
from catalog.release import Model, Release
from catalog.shapes import shaped
from catalog.words import data_size
from zoo import commandline
from zoo.errors import Damaged, InputError
from zoo.files.locks import locked_folder
from zoo.files.whole import GRAIN_SECONDS, sweep, write_atomic
from zoo.progress import overheard
from zoo.settings import Settings

MAX_BYTES = 512 << 20
"""Of a catalog: 20,000 models at 25 kB for a model with its releases."""
WHOLE_BYTES = 32 << 20
"""A larger catalog is read model by model, which needs the form that this program writes: as one JSON value, some
hundred megabytes of brackets would take all memory."""
REMEMBERED_BYTES = 256 * 1024
"""A smaller catalog is checked every time, in a few milliseconds."""

MEMORY = "catalog-checked"
"""File in the work folder: a line of JSON that identifies the catalog, then the digest of each model."""


RESTORE = "Restore it from version control"
ANOTHERS = "Name another catalog with --catalog, or report it to the owner of this one"
"""What to do about a catalog that is not of this zoo."""


def read_catalog(path: Path, shown_as: str, remedy: str = RESTORE) -> index.Catalog:
    """The catalog, empty if there is no file. Raises InputError with every problem of a broken one. remedy: another one
    is for a file that is not the reader's; then nothing asks the reader to fix its lines."""
    if not os.path.lexists(path):
        return index.EMPTY
    try:
        handle = plainfiles.open_handle(path)
    except OSError as error:
        raise _unreadable(error, shown_as, remedy) from error
    try:
        if (size := os.fstat(handle).st_size) > WHOLE_BYTES:
            return _by_model(handle, size, shown_as, remedy)
        with os.fdopen(os.dup(handle), "rb") as stream:
            text = stream.read(WHOLE_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(error, shown_as, remedy) from error
    finally:
        os.close(handle)
    catalog, problems = index.parse(text, shown_as)
    if problems:
        raise _not_valid(problems, remedy)
    return catalog


def read(settings: Settings) -> index.Catalog:
    """The catalog of the settings, for reading. One that does not exist is empty, unless it was named or something was
    published: then it is lost, or another file is meant. Raises InputError for that, and for a broken one."""
    path, shown = settings.catalog, settings.shown(settings.catalog)
    if not os.path.lexists(path) and (remedy := _lost(settings)):
        origin = settings.values["catalog"].origin
        raise InputError(f"the catalog {shown} does not exist", where=f"setting catalog ({origin})", remedy=remedy)
    return read_catalog(path, shown)


def _lost(settings: Settings) -> str:
    """What to do about a catalog that does not exist; "" if nothing is wrong with that."""
    value = settings.values["catalog"]
    if any(path.is_dir() for path in settings.evidence.glob("*/*")):
        evidence = settings.shown(settings.evidence)
        return f"{evidence} has evidence of published releases, so restore the catalog from version control"
    if value.origin.startswith(("flag", "environment")):
        return "Name the catalog's file. The first release makes it: zoo release NAME"
    return ""


def _by_model(handle: int, size: int, shown_as: str, remedy: str) -> index.Catalog:
    """A large catalog, of which one model at a time is text. Raises InputError, OSError, UnicodeDecodeError."""
    refuse_too_large(handle, shown_as, remedy)
    cut, models = entries.Cut(handle), list[Model]()
    with overheard(f"reading {shown_as}", size, "B") as advance:
        for piece in cut.pieces():
            text = piece.decode("utf-8")
            name = entries.name(text)
            found, problems = index.parse(entries.alone(text), f"{shown_as}, model {show(name)}")
            if problems or len(found.models) != 1:
                raise _not_valid(problems, remedy)
            if models and found.models[0].name <= models[-1].name:
                raise InputError(f"the catalog is not valid: model {show(name)} is not in the order of names, or twice",
                                 where=shown_as, safe="It was not changed.", remedy=remedy)  # fmt: skip
            models += found.models
            advance(len(piece))
    return index.Catalog(tuple(models))


def refuse_too_large(handle: int, shown_as: str, remedy: str = RESTORE) -> None:
    """Raises InputError for a catalog that no program of ours wrote, and that is too large to find out what it is."""
    size = os.fstat(handle).st_size
    if size <= WHOLE_BYTES or (size <= MAX_BYTES and entries.Cut(handle).possible):
        return
    most = f"no catalog has more than {data_size(MAX_BYTES)}"
    why = most if size > MAX_BYTES else "it has not the form that zoo writes"
    raise InputError(f"the catalog is not valid: it has {data_size(size)}, and {why}", where=shown_as,
                     safe="It was not changed.", remedy=remedy)  # fmt: skip


def _not_valid(problems: Sequence[Problem], remedy: str) -> InputError:
    is_own = remedy == RESTORE
    lines = [str(problem) if is_own else problem.statement for problem in problems[:20]]
    if is_own and any(problem.instead == conflicts.SOLVE for problem in problems):
        remedy = "Then see whether it is complete: zoo check"
    return InputError("\n".join(["the catalog is not valid", *lines]), safe="It was not changed.", remedy=remedy)


def read_model(settings: Settings, name: str) -> Model | None:
    """One model; None for an unknown name. Raises InputError with every problem of a broken catalog."""
    with _checked(settings) as found:
        return _model_in(found, name)


def is_sound(settings: Settings) -> bool:
    """Whether the catalog has no problems. False also means that it must be read to find out."""
    try:
        with _checked(settings):
            return True
    except InputError:
        return False


@contextlib.contextmanager
def pieces(settings: Settings) -> Iterator[Iterator[bytes]]:
    """The text of each model, as ``entries.model`` takes it. Raises InputError with every problem of a broken catalog.
    """
    with _checked(settings) as found:
        if isinstance(found, index.Catalog):
            yield (entries.piece_of(model).encode() for model in found.models)
        else:
            yield found.pieces()


def unknown(names: Iterable[str], name: str, root: Path) -> InputError:
    """That the catalog, which has ``names``, has no model ``name``. root: the zoo's folder, which may have a recipe of
    this name."""
    what, remedy = index.absent(names, name)
    if f"{name}.yaml" in {path.name for path in (root / "recipes").glob("*.yaml")}:
        remedy = f"It has a recipe, so release it first: zoo release {shell.argument(name)}"
    return InputError(what, remedy=remedy)


def find(catalog: index.Catalog, name: str, root: Path, version: str = "") -> tuple[Model, Release]:
    """A model and one of its releases, by default the newest stable one.

    root: the zoo's folder. Raises InputError that lists what exists.
    """
    model = catalog.model(name)
    if model is None:
        raise unknown(catalog.names, name, root)
    release = catalog.release(name, version) if version else model.preferred()[0]
    if release is None:
        versions = ", ".join(one.version for one in model.releases)
        raise InputError(f"the catalog has no version {version!r} of {name}", remedy=f"Available: {versions}")
    return model, release


Step = Callable[[index.Catalog], index.Catalog]


def change(settings: Settings, step: Step) -> tuple[index.Catalog, bool]:
    """Write ``step(catalog)`` under the catalog's lock. Returns the catalog now, and whether it changed.

    Raises InputError if ``step`` raises YankRefused; then the catalog does not change.
    """
    path = settings.catalog
    with locked_folder(path.parent):
        before = read_catalog(path, settings.shown(path))
        try:
            after = step(before)
        except yanks.YankRefused as refused:
            what, instead = refused.args
            remedy = commandline.flagged(instead, commandline.given(settings))
            raise InputError(what, safe="The catalog was not changed.", remedy=remedy) from refused
        if after == before:
            return before, False
        sweep(path.parent, path.name)
        write_atomic(path, index.to_text(after))
        if read_catalog(path, settings.shown(path)) != after:
            raise Damaged("the catalog reads back differently from what was written", where=settings.shown(path))
    return after, True


def change_model(settings: Settings, name: str, step: Step) -> bool:
    """The same for one model: ``step`` gets and returns a catalog with only this model. Returns whether the file
    changed.

    Copies the others' bytes once without reading them as models. Raises InputError, Damaged.
    """
    path = settings.catalog
    with locked_folder(path.parent):
        with _checked(settings) as found:
            sweep(path.parent, path.name)
            before = _model_in(found, name)
            (after,) = step(index.Catalog((before,) if before else ())).models
            if after == before:
                return False
            piece = entries.piece_of(after)
            if after.name != name or entries.model(piece) != after:
                raise Damaged(f"the catalog cannot store {name} in this form", where=settings.shown(path))
            write_atomic(path, _with_piece(found, after, piece), settled=True)
        _read_back(settings, name, piece)
    return True


Found = entries.Cut | index.Catalog
"""A valid catalog: a file that can be split into its models, or the models."""


def _model_in(found: Found, name: str) -> Model | None:
    if isinstance(found, index.Catalog):
        return found.model(name)
    place = found.find(name)
    return entries.model(found.text(place)) if place.there else None


def _with_piece(found: Found, model: Model, piece: str) -> str | Iterator[bytes]:
    if isinstance(found, entries.Cut):
        return found.with_piece(found.find(model.name), piece)
    others = [one for one in found.models if one.name != model.name]
    return index.to_text(index.Catalog(tuple(sorted((*others, model), key=lambda one: one.name))))


def _read_back(settings: Settings, name: str, piece: str) -> None:
    """Raises Damaged unless the file now has the piece; then records the file."""
    handle = plainfiles.open_handle(settings.catalog)
    try:
        cut = entries.Cut(handle)
        place = cut.find(name) if cut.possible else None
        if place is None or not place.there or cut.text(place) != piece:
            where = settings.shown(settings.catalog)
            raise Damaged("the catalog reads back differently from what was written", where=where)
        memory = _Memory(settings)
        # If it is too new, somebody else changed it since it was renamed.
        memory.write(_stamp(handle, wait=False), (*memory.pieces(), _digest(piece.encode())))
    finally:
        os.close(handle)


@contextlib.contextmanager
def _checked(settings: Settings) -> Iterator[Found]:
    """The catalog, checked now or unchanged since its last check. Raises InputError with every problem."""
    path, shown = settings.catalog, settings.shown(settings.catalog)
    if not os.path.lexists(path):
        yield index.EMPTY
        return
    try:
        handle = plainfiles.open_handle(path)
    except OSError as error:
        raise _unreadable(error, shown) from error
    try:
        cut, memory = entries.Cut(handle), _Memory(settings)
        stamp = _stamp(handle)
        if cut.possible and (memory.knows(stamp) or _check(cut, memory, handle, stamp)):
            yield cut
            return
    finally:
        os.close(handle)
    yield read_catalog(path, shown)


def _check(cut: entries.Cut, memory: _Memory, handle: int, stamp: _Stamp | None) -> bool:
    """Whether every piece is a valid model, in order. False also for a catalog in another form, which must be read
    completely."""
    known, digests, last = frozenset(memory.pieces()), [], ""
    try:
        for piece in cut.pieces():
            digest, name = _digest(piece), entries.name(piece.decode("utf-8"))
            if name <= last:
                return False
            if digest not in known:
                model = entries.model(piece.decode("utf-8"))
                if model is None or model.name != name:
                    return False
            digests.append(digest)
            last = name
    except (OSError, UnicodeDecodeError):
        return False
    # Somebody may have changed it in the meantime.
    if _stamp(handle) == stamp:
        memory.write(stamp, digests)
    return True


_Stamp = tuple[int, ...]


def _stamp(handle: int, *, wait: bool = True) -> _Stamp | None:
    """The file's size, times and inode, which differ after every later change; None if that is not reliable.

    wait: if the file has just changed, wait until another change would have a different time.
    """
    found = os.fstat(handle)
    # A file system with times in full seconds would hide a change.
    if found.st_size < REMEMBERED_BYTES or found.st_ctime_ns % 1_000_000_000 == 0:
        return None
    if (young := GRAIN_SECONDS - (time.time() - found.st_mtime)) > 0:
        if not wait:
            return None
        time.sleep(min(GRAIN_SECONDS, young))
        found = os.fstat(handle)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class _Memory:
    """The record of the last check. It is only a cache: without it everything is checked again."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.work / MEMORY

    def knows(self, stamp: _Stamp | None) -> bool:
        """Whether a file with this stamp passed exactly these checks."""
        if stamp is None:
            return False
        try:
            with self._path.open("rb") as stream:
                head = jsontext.parse(stream.readline(), bounded=False)
        except (OSError, jsontext.NotJson):
            return False
        return bool(head == {"rules": rules(), "stamp": list(stamp)})

    def pieces(self) -> Collection[str]:
        """Digests of the models that passed exactly these checks."""
        try:
            head, *digests = self._path.read_text(encoding="utf-8").split("\n")
            told = shaped(jsontext.parse(head, bounded=False), dict[str, object])
            return digests if told.get("rules") == rules() else ()
        except (OSError, ValueError):
            return ()

    def write(self, stamp: _Stamp | None, pieces: Collection[str]) -> None:
        """On a full disk the next command only has to check more."""
        if stamp is None:
            return
        head = json.dumps({"rules": rules(), "stamp": stamp})
        with contextlib.suppress(OSError):
            sweep(self._path.parent, self._path.name)
            write_atomic(self._path, "\n".join((head, *dict.fromkeys(pieces))))


@functools.cache
def rules() -> str:
    """The digest of everything that affects whether a catalog is valid."""
    texts = [*sorted(schema.FOLDER.parent.glob("*.py")), schema.FOLDER / "catalog-v1.schema.json"]
    return _digest(b"\0".join(path.read_bytes() for path in texts))


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _unreadable(error: Exception, shown_as: str, remedy: str = RESTORE) -> InputError:
    reason = str(error.strerror or error) if isinstance(error, OSError) else "it is not UTF-8"
    if remedy == RESTORE:
        remedy = "Name the catalog's file with --catalog, or restore it from version control"
    return InputError(f"the catalog cannot be read: {reason}", where=shown_as, remedy=remedy)
