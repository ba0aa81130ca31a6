"""Recipe = GGUF header = card = manifest = catalog. Reads a release folder and lists every difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog import jsontext, licences
from catalog.recipe import Recipe
from catalog.release import Release
from catalog.shapes import shaped
from zoo.files.digests import sha256_file
from zoo.files.filelist import MANIFEST, SUMS
from zoo.files.listing import FileRecord, records
from zoo.files.together import each
from zoo.gguf import wording
from zoo.gguf.facts import header_facts
from zoo.release import cards
from zoo.release.sealing import Manifest
from zoo.stages.artifact import IMATRIX_FILE


def disagreements(recipe: Recipe, release: Release, folder: Path) -> list[str]:
    """Sentences, one per difference; empty if everything agrees."""
    model = folder / "model"
    return [
        *_files(release, model),
        *_headers(recipe, release, model),
        *_measured(release, model),
        *_imatrix(release, model),
        *card(recipe, release, (model / "README.md").read_text(encoding="utf-8")),
        *_manifests(folder),
    ]


def _files(release: Release, folder: Path) -> Iterator[str]:
    """Compare the release's records with the files, byte for byte."""
    there = {record.path: record for record in records(folder)}
    listed = [FileRecord(file.path, file.size_bytes, file.sha256) for file in release.files]
    for name in release.terms.files if release.terms else ():
        if name not in there:
            yield _differ(name, "the release carries it as a licence text", "it is not there")
    listed += [FileRecord(f"evidence/{e.path}", e.size_bytes, e.sha256) for e in release.evidence]
    for file in listed:
        found = there.get(file.path)
        if found is None:
            yield _differ(file.path, "the release lists it", "it is not there")
        elif (found.size_bytes, found.sha256) != (file.size_bytes, file.sha256):
            yield _differ(
                file.path, f"the release says sha256 {file.sha256[:16]}", f"the file has {found.sha256[:16]}"
            )


def _headers(recipe: Recipe, release: Release, folder: Path) -> Iterator[str]:
    architecture = release.architecture
    upstream = recipe.student.upstream
    expected = {
        "architecture": architecture.name,
        "parameters": architecture.parameters,
        "context_tokens": architecture.context_tokens,
        "block_count": architecture.layers,
        "vocabulary_size": architecture.vocabulary_size,
        "template_sha256": architecture.template_sha256,
        "licence": recipe.licence,
        "name": recipe.name,
        "version": recipe.version,
        "base_model": f"https://huggingface.co/{upstream}" if upstream else None,
    }
    if recipe.context_tokens is not None and architecture.context_tokens < recipe.context_tokens:
        yield _differ(
            "context length",
            f"recipe promises {recipe.context_tokens}",
            f"file has {architecture.context_tokens}",
        )
    if recipe.student.layers and len(recipe.student.layers) != architecture.layers:
        yield _differ(
            "layers", f"recipe keeps {len(recipe.student.layers)}", f"file has {architecture.layers}"
        )
    if not recipe.student.layers and recipe.student.parameters not in (None, architecture.parameters):
        yield _differ(
            "parameters", f"recipe says {recipe.student.parameters}", f"file has {architecture.parameters}"
        )
    for file in release.files:
        found = header_facts(folder / file.path)
        for name, value in expected.items():
            if found[name] != value:
                yield _differ(f"{name} of {file.path}", f"header says {found[name]}", f"release says {value}")


def _measured(release: Release, folder: Path) -> Iterator[str]:
    """Check that the files are the measured ones but for the words of their headers. Reads every byte."""
    digests = each(wording.unworded_sha256, [folder / file.path for file in release.files])
    for file, found in zip(release.files, digests, strict=True):
        if file.measured_sha256 not in (None, found):
            yield _differ(
                file.path,
                f"the file that was measured has sha256 {str(file.measured_sha256)[:16]}",
                f"without the words of its header this one has {found[:16]}",
            )


def _imatrix(release: Release, folder: Path) -> Iterator[str]:
    """Check that the importance matrix is the one that the files record."""
    path = folder / IMATRIX_FILE
    there = sha256_file(path) if path.exists() else None
    for file in release.files:
        if file.imatrix_sha256 not in (None, there):
            yield _differ(
                f"importance matrix of {file.path}",
                f"the release says sha256 {str(file.imatrix_sha256)[:16]}",
                f"the file has {there[:16]}" if there else "there is none",
            )


def card(recipe: Recipe, release: Release, text: str) -> Iterator[str]:
    """What is wrong with the text of a model card, or differs from the release. One sentence each."""
    told, problems = cards.read_card(text, "README.md", "model")
    yield from (f"  {problem}" for problem in problems)
    if problems:
        return
    zoo, architecture = told["zoo"], release.architecture
    assert isinstance(zoo, dict)
    for name, value in {
        "version": release.version,
        "date": release.date,
        "architecture": architecture.name,
        "parameters": architecture.parameters,
        "context_tokens": architecture.context_tokens,
        "template_sha256": architecture.template_sha256,
        "files": {f.path: {"size_bytes": f.size_bytes, "sha256": f.sha256} for f in release.files},
    }.items():
        if zoo[name] != value:
            yield _differ(f"{name} on the card", str(zoo[name]), f"release says {value}")
    if told.get("base_model") != recipe.student.upstream:
        yield _differ(
            "base model on the card", str(told.get("base_model")), f"recipe says {recipe.student.upstream}"
        )
    licence = told.get("license_name", told["license"])
    own = release.terms.name if release.terms else None
    if licence not in (own or release.licence, licences.hub_identifier(release.licence)):
        yield _differ("licence on the card", str(licence), f"release says {release.licence}")


def _manifests(folder: Path) -> Iterator[str]:
    for part in ("model", "dataset"):
        if not (folder / part).is_dir():
            continue
        manifest = shaped(jsontext.read(folder / part / MANIFEST), Manifest)
        there = {
            r.path: vars(r) for r in records(folder / part) if r.path not in (MANIFEST, SUMS)
        }
        listed = {entry["path"]: entry for entry in manifest["files"]}
        for path in sorted(there.keys() | listed.keys()):
            if there.get(path) != listed.get(path):
                yield _differ(f"{part}/{path}", "folder and manifest", "not the same")
        if part == "dataset":
            _, problems = cards.read_card(
                (folder / part / "README.md").read_text(encoding="utf-8"), "dataset README.md", part
            )
            yield from (f"  {problem}" for problem in problems)


def _differ(what: str, one: str, other: str) -> str:
    return f"  {what}: {one}, {other}"
