"""Where models come from: a source URI to a verified file or folder on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from catalog import sources
from catalog.jsonvalues import table, text
from zoo.errors import SourceError
from zoo.files.digests import digest, sha256_file
from zoo.files.listing import FileRecord, records
from zoo.gguf.header import Header, read_header
from zoo.llama import tokenizertrial
from zoo.modelfolder import inspection, specialtokens
from zoo.modelfolder.files import CONFIG, listed, reading
from zoo.modelfolder.ggufsources import refuse_other, refuse_unreadable
from zoo.modelfolder.weights import shards_of
from zoo.progress import Reporter
from zoo.sources import hub, packages, parts

GGUF_MAGIC = b"GGUF"


def locate(uri: str, root: Path, work: Path | None = None) -> Path | None:
    """Where a ``package:`` or ``file:`` source is, unverified; None if it is missing (or is a Hub source).

    work: the work folder, where a file that packages ship in parts is joined; without it, such a file is missing.
    Raises SourceError for damaged parts.
    """
    source = sources.parse(uri)
    if isinstance(source, sources.PackageSource):
        path = packages.find(source, root)
        pieces = packages.parts(source, root) if work and path is None else ()
        return parts.joined(pieces, Path(source.file).name, work) if work and pieces else path
    if isinstance(source, sources.FileSource):
        path = root / source.path
        return path if path.exists() else None
    return None


def resolve(spec: Mapping[str, object], root: Path, cache: Path, report: Reporter) -> Path:
    """The verified file or folder of a source spec (keys source, sha256, revision, files). Raises SourceError."""
    uri = text(spec["source"])
    source = sources.parse(uri)
    if isinstance(source, sources.HubSource):
        try:
            return hub.fetch(_at(source, spec), _pins(spec), cache, report)
        except SourceError as error:
            error.where = error.where or uri
            raise
    path = locate(uri, root, cache)
    if path is None:
        raise SourceError(
            f"{uri} is not on this machine", safe="Nothing was changed.", remedy=missing_remedy(uri)
        )
    pin = spec["sha256"]
    verify(path, None if pin is None else text(pin), uri, report, root)
    return path


def small_files(spec: Mapping[str, object], cache: Path, report: Reporter) -> Path | None:
    """A folder with the configuration and the tokenizer of a Hub source's spec; None for other sources, and for a GGUF
    file on a hub, which has them inside.

    Raises SourceError.
    """
    source = sources.parse(text(spec["source"]))
    if not isinstance(source, sources.HubSource) or source.file:
        return None
    return hub.fetch_small(_at(source, spec), _pins(spec), cache, report)


def _at(source: sources.HubSource, spec: Mapping[str, object]) -> sources.HubSource:
    """The source at the commit of the spec, which the lock knows if its address does not say it."""
    return replace(source, revision=text(spec["revision"]))


def _pins(spec: Mapping[str, object]) -> dict[str, str] | None:
    pins = spec.get("files")
    return None if pins is None else {name: text(one) for name, one in table(pins).items()}


def folder_records(path: Path, root: Path | None = None) -> tuple[FileRecord, ...]:
    """Name, size and digest of every file of a folder that counts.

    For a model folder these are the files that the import reads or a release includes; files of other programs
    (.DS_Store, .cache, README.md) do not count. Links are followed as ``zoo.modelfolder.files`` says. Raises
    ModelFileError.
    """
    if not (path / CONFIG).exists():
        return records(path)
    with reading(path, root):
        files = listed(path, root, shards_of(path))
        return tuple(sorted(FileRecord(n, real.stat().st_size, sha256_file(real)) for n, real in files.items()))


def kept_at(spec: Mapping[str, object]) -> str:
    """Where in the work folder ``resolve`` puts what it fetches for a source spec; "" for a source of no hub."""
    source = sources.parse(text(spec["source"]))
    return hub.kept_at(_at(source, spec)).as_posix() if isinstance(source, sources.HubSource) else ""


def files_read(spec: Mapping[str, object], root: Path, cache: Path) -> tuple[Path, dict[str, Path]]:
    """What ``resolve`` reads for a source spec, as far as it is here: ``root`` or ``cache``, and by its path in there
    where each file is. None of a package.

    Raises ModelFileError.
    """
    source = sources.parse(text(spec["source"]))
    if isinstance(source, sources.HubSource):
        found = hub.fetched(_at(source, spec), _pins(spec), cache)
        return cache, {path.relative_to(cache).as_posix(): path for path in found}
    path = root / source.path if isinstance(source, sources.FileSource) else None
    if path is None or not path.exists():
        return root, {}
    with reading(path, root):
        if path.is_file():
            files = {".": path.resolve()}
        elif (path / CONFIG).exists():
            files = listed(path, root, shards_of(path))
        else:
            files = {one.path: path / one.path for one in records(path)}
    return root, {(path / name).relative_to(root).as_posix(): real for name, real in files.items()}


def inspect_folder(path: Path, root: Path) -> None:
    """Raise ModelFileError for a model folder that the import would refuse by its small files or tensor lists."""
    if path.is_dir():
        tokenizertrial.refuse_unwritable(inspection.inspect(path, root))


def inspect_small(folder: Path, shown: str) -> None:
    """Raise ModelFileError for a model whose small files are in ``folder`` and that the import would refuse by them."""
    tokenizertrial.refuse_unwritable(inspection.inspect_small(folder, shown))


def refuse_gguf(path: Path, root: Path) -> Header | None:
    """Raise ModelFileError for a GGUF file that the import would refuse by its header. None for another source."""
    if not path.is_file():
        return None
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    with reading(path, root):
        with path.open("rb") as file:
            if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
                return None
        header = read_header(path, lambda metadata: refuse_other(metadata, shown))
    refuse_unreadable(header.architecture, shown)
    specialtokens.refuse_beyond(header.metadata, header.vocabulary_size, shown)
    return header


def content_sha256(path: Path, root: Path | None = None) -> str:
    """The digest that pins a source: of a file's content, or of the list of a model folder's files that count."""
    return sha256_file(path) if path.is_file() else digest([vars(one) for one in folder_records(path, root)])


def verify(path: Path, sha256: str | None, uri: str, report: Reporter, root: Path | None = None) -> None:
    """Compare a file or model folder with its pin. Raises SourceError if they differ."""
    if path.is_dir():
        found = content_sha256(path, root)
        if found != sha256 and _is_old_pin(path, sha256):
            return
    else:
        with report.task(f"checking {path.name}", path.stat().st_size, "B") as advance:
            found = sha256_file(path, advance)
    if found != sha256:
        raise SourceError(
            f"{uri} has sha256 {found}, but the recipe pins {sha256}",
            safe="Nothing was made from it.",
            remedy="If you want the new file, write its digest into the recipe and raise the version",
        )


def missing_remedy(uri: str) -> str:
    """What to do about a missing source."""
    source = sources.parse(uri)
    if isinstance(source, sources.PackageSource):
        return packages.missing_remedy(source)
    if isinstance(source, sources.HubSource):
        return "It is fetched when the recipe is built: zoo build NAME"
    if isinstance(source, sources.ServerSource):
        return "Its weights are not seen here"
    return f"Put the file at {source.path} in the zoo's folder"


def _is_old_pin(path: Path, sha256: str | None) -> bool:
    """Whether a pin from the time when every file of a folder counted still matches. It covers more than today's."""
    if any(entry.is_symlink() for entry in path.rglob("*")):
        return False
    return digest([vars(one) for one in records(path)]) == sha256
