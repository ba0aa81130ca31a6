"""A small zoo with a released model whose files are random bytes, for tests of pulling: no model is built."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sitesamples import CONTENT, sample

from catalog import index
from catalog.index import Catalog
from catalog.release import Location, Model, Release, Repository, Terms
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.hub import FolderHub, FolderRepo

Say = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, stdout, stderr."""
NAME, NAMESPACE, REPOSITORY = "smollm2-135m-instruct", "local", "smollm2-gguf"
LARGE = 6 << 20


@dataclass(frozen=True)
class Zoo:
    """A zoo on disk. ``contents`` are the files of the model repository at ``commit``."""

    folder: Path
    hub: FolderHub
    catalog: Catalog
    commit: str
    contents: dict[str, bytes]

    @property
    def repo(self) -> FolderRepo:
        return self.hub.repo("model", NAMESPACE, REPOSITORY)

    @property
    def model(self) -> Model:
        found = self.catalog.model(NAME)
        assert found
        return found

    @property
    def release(self) -> Release:
        return self.model.releases[0]

    @property
    def large(self) -> str:
        """The path of the file that has LARGE bytes."""
        return "model-Q8_0.gguf"


def make_zoo(
    folder: Path,
    key: Path | None = None,
    licences: Mapping[str, bytes] | None = None,
    *,
    pinned: bool = True,
    more: Mapping[str, bytes] | None = None,
    **changes: bytes,
) -> Zoo:
    """``changes`` replaces contents on the hub, not in the accounts, by path with __ for characters that are not
    letters.

    licences: texts that the catalog says the release carries, by name. key: signs the contents as they were before the
    changes. pinned: the catalog has the manifest's digest from before the changes. more: files that no account lists.
    """
    folder.mkdir(parents=True)
    (folder / "zoo.toml").touch()
    contents = {"README.md": b"# A model\n", "recipe.yaml": b"zoo: 1\n", **(licences or {})}
    model = next(m for m in sample().models if m.name == NAME)
    files = []
    for number, file in enumerate(model.releases[0].files):
        raw = random.Random(number).randbytes(LARGE if file.type == "Q8_0" else 3000 + number)
        contents[file.path] = raw
        files.append(dataclasses.replace(file, size_bytes=len(raw), sha256=_sha(raw)))
    for evidence in model.releases[0].evidence:
        contents[f"evidence/{evidence.path}"] = CONTENT
    records = [FileRecord(path, len(raw), _sha(raw)) for path, raw in sorted(contents.items())]
    manifest = {"name": NAME, "version": "1.0.0", "files": [vars(record) for record in records]}
    contents["MANIFEST.json"] = pretty_json(manifest).encode()
    contents["SHA256SUMS"] = "".join(f"{r.sha256}  {r.path}\n" for r in records).encode()
    if key:
        contents["model.sig"] = _signature(contents, folder / "signed", key)
    pin = _sha(contents["MANIFEST.json"]) if pinned else None
    signature = _sha(contents["model.sig"]) if pinned and key else None
    for path in list(contents):
        contents[path] = changes.get(path.replace(".", "__").replace("-", "__"), contents[path])
    contents |= more or {}
    hub = FolderHub(folder / "build" / "hub")
    commit = publish(hub.repo("model", NAMESPACE, REPOSITORY), contents, folder)
    place = Location("folder", Repository(f"{NAMESPACE}/{REPOSITORY}", commit, "v1.0.0", pin, signature), None)
    carried = Terms(None, None, None, (), tuple(licences)) if licences else None
    release = dataclasses.replace(model.releases[0], files=tuple(files), location=place, terms=carried)
    catalog = Catalog((dataclasses.replace(model, releases=(release,)),))
    write_catalog(folder, catalog)
    return Zoo(folder, hub, catalog, commit, contents)


def write_catalog(folder: Path, catalog: Catalog) -> Path:
    path = folder / "model_catalog.json"
    path.write_text(index.to_text(catalog), encoding="utf-8")
    return path


def publish(repo: FolderRepo, contents: dict[str, bytes], scratch: Path) -> str:
    """One commit with these files, and the tag."""
    records = []
    for path, raw in sorted(contents.items()):
        source = scratch / "source"
        source.write_bytes(raw)
        record = FileRecord(path, len(raw), _sha(raw))
        repo.put(source, record.sha256, lambda _: None)
        records.append(record)
    source.unlink()
    commit = repo.commit(None, records, [], "first")
    repo.tag("v1.0.0", commit)
    return commit


def manifest_of(contents: dict[str, bytes]) -> dict[str, object]:
    found: dict[str, object] = json.loads(contents["MANIFEST.json"])
    return found


def _signature(contents: dict[str, bytes], scratch: Path, key: Path) -> bytes:
    from zoo.release.provenance import signing

    for path, raw in contents.items():
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(raw)
    signing.sign(scratch, key=key)
    return (scratch / "model.sig").read_bytes()


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
