"""What a contribution must not contradict or lose: recorded digests, and reports of what was removed from data.

Pure but for reading the folders of two commits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from catalog import index, jsontext, shell, yamltext
from catalog import sources as source_uris
from zoo import catalogfile
from zoo.errors import InputError, ZooError
from zoo.files.digests import sha256_file
from zoo.review.trees import Change
from zoo.sources import resolve

SUMS, MANIFEST, CROISSANT = "SHA256SUMS", "MANIFEST.json", "croissant.json"
CATALOG, EVIDENCE, PUBLISHED = "model_catalog.json", "site/evidence", "published"
REPORT = "dataset-report.json"
_HEADING = re.compile(r"^#+ .*redaction", re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def broken_digests(base: Path, head: Path, changes: Sequence[Change]) -> list[str]:
    """Files that no longer have the digest that is recorded for them: in SHA256SUMS, croissant.json, the catalog or a
    recipe. What was wrong before is left out."""
    paths = {one.path for one in changes}
    before = set(_broken(base, paths))
    return sorted({one for one in _broken(head, paths) if one not in before})


def lost_reports(base: Path, head: Path, changes: Sequence[Change]) -> list[str]:
    """Reports and sections about redaction (what was searched for and removed) that are not there any more."""
    found = []
    for path in (one.path for one in changes):
        if _has_report(base / path) and not _has_report(head / path):
            what = "the section on redaction" if path.endswith(".md") else "the redaction report"
            found.append(f"{path}: {what} is gone")
    return found


def _has_report(path: Path) -> bool:
    """Whether a file is such a report, or contains one."""
    if not path.is_file():
        return False
    if path.name == REPORT:
        try:
            data = jsontext.read(path)
        except (OSError, jsontext.NotJson):
            return False
        return isinstance(data, dict) and bool(data.get("redaction"))
    if path.suffix == ".md" and "redaction" not in path.stem.lower():
        return bool(_HEADING.search(path.read_text(encoding="utf-8", errors="replace")))
    return "redaction" in path.stem.lower() and path.stat().st_size > 0


def _broken(root: Path, paths: Collection[str]) -> Iterator[str]:
    yield from _by_sums(root, paths)
    yield from _by_croissant(root, paths)
    yield from _by_catalog(root, paths)
    yield from _by_recipe(root, paths)


def _by_sums(root: Path, paths: Collection[str]) -> Iterator[str]:
    """Each list of sums above a changed file."""
    folders = {parent for path in paths for parent in PurePosixPath(path).parents}
    for folder in sorted(folders):
        sums = root / folder / SUMS
        if not sums.is_file():
            continue
        for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
            if listed := _LINE.fullmatch(line):
                yield from _compared(root, f"{folder}/{listed[2]}".removeprefix("./"), listed[1], f"{folder}/{SUMS}")


def _by_croissant(root: Path, paths: Collection[str]) -> Iterator[str]:
    """The metadata of each folder with a changed file. What it says besides digests follows from the files."""
    for folder in sorted({str(PurePosixPath(path).parent) for path in paths}):
        try:
            data = jsontext.read(root / folder / CROISSANT)
        except (OSError, jsontext.NotJson):
            continue
        files = data.get("distribution") if isinstance(data, dict) else None
        for one in files if isinstance(files, list) else []:
            name, sha256 = (one.get("name"), one.get("sha256")) if isinstance(one, dict) else (None, None)
            if isinstance(name, str) and isinstance(sha256, str):
                again = f". Write it again: zoo corpus croissant {shell.argument(folder)}"
                found = _compared(root, f"{folder}/{name}", sha256, f"{folder}/{CROISSANT}")
                yield from (f"{sentence}{again}" for sentence in found)


def _by_catalog(root: Path, paths: Collection[str]) -> Iterator[str]:
    """Evidence and manifests that the catalog records, if they or the catalog changed."""
    if not any(path == CATALOG or path.startswith((f"{EVIDENCE}/", f"{PUBLISHED}/")) for path in paths):
        return
    try:
        catalog = catalogfile.read_catalog(root / CATALOG, CATALOG)
    except InputError:
        return  # zoo check names what is wrong with it
    for path, sha256 in _recorded(catalog).items():
        if path in paths or CATALOG in paths:
            yield from _compared(root, path, sha256, CATALOG)


def _recorded(catalog: index.Catalog) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for model in catalog.models:
        for release in model.releases:
            place = f"{model.name}/{release.version}"
            found |= {f"{EVIDENCE}/{place}/{one.path}": one.sha256 for one in release.evidence}
            parts = {"model": release.location.model, "dataset": release.location.dataset}
            for name, one in parts.items():
                if one and one.manifest_sha256:
                    found[f"{PUBLISHED}/{place}/{name}/{MANIFEST}"] = one.manifest_sha256
    return found


def _by_recipe(root: Path, paths: Collection[str]) -> Iterator[str]:
    """Sources in the zoo that a recipe pins, if the recipe or one of their files changed."""
    for recipe in sorted((root / "recipes").glob("*.y*ml")):
        shown = recipe.relative_to(root).as_posix()
        data = yamltext.read(recipe, shown).data
        for role in ("student", "teacher"):
            section = data.get(role) if isinstance(data, dict) else None
            uri, pin = (section.get("source"), section.get("sha256")) if isinstance(section, dict) else (None, None)
            if not isinstance(uri, str) or not isinstance(pin, str):
                continue
            try:
                source = source_uris.parse(uri)
            except source_uris.SourceSyntax:
                continue
            if not isinstance(source, source_uris.FileSource) or not (root / source.path).exists():
                continue
            if shown in paths or any(path == source.path or path.startswith(f"{source.path}/") for path in paths):
                yield from _pinned(root, source.path, pin, f"{shown} ({role}.sha256)")


def _pinned(root: Path, path: str, sha256: str, where: str) -> Iterator[str]:
    try:
        found = resolve.content_sha256(root / path, root)
    except (OSError, ZooError):
        return  # zoo check names what is wrong with it
    if found != sha256:
        yield f"{path}: its content does not have the digest in {where}"


def _compared(root: Path, path: str, sha256: str, where: str) -> Iterator[str]:
    """Nothing for a file that is not kept in git, such as weights."""
    if ".." not in PurePosixPath(path).parts and (root / path).is_file() and sha256_file(root / path) != sha256:
        yield f"{path}: its content does not have the digest in {where}"
