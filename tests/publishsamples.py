"""Small releases, and failing hubs, for tests of publishing. A test module imports the fixtures that it uses."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sitesamples import sample

from catalog.recipe import plain
from zoo import flow
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord, records
from zoo.hub import BRANCH, FolderHub
from zoo.plan.prepare import Planned
from zoo.progress import Reporter, Silent, unheard
from zoo.publish import apply as publishing
from zoo.publish.apply import Published
from zoo.publish.asked import Asked
from zoo.publish.places import Way
from zoo.release import NOWHERE, ReleaseFolder
from zoo.settings import Settings

NAMES = ("tutor-gguf", "tutor-prompts")
MODEL_FILES = {
    "README.md": "# tutor",
    "tutor-Q8_0.gguf": "weights " * 50,
    "evidence/gates.json": "[]",
    "MANIFEST.json": "",
}
DATASET_FILES = {"README.md": "# prompts", "data/train.jsonl": '{"a": 1}\n'}


def make_release(zoo: Path, version: str = "1.0.0", **changes: str) -> ReleaseFolder:
    """A release folder with text files instead of models. changes: content by file name of the model repository."""
    folder = zoo / "build" / "releases" / "tutor" / version
    shutil.rmtree(folder, ignore_errors=True)
    for part, files in (
        ("model", {**MODEL_FILES, "recipe.yaml": version, **changes}),
        ("dataset", DATASET_FILES),
    ):
        for name, content in files.items():
            path = folder / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    model = sample().models[0]
    if "MANIFEST.json" not in changes:
        listed = [vars(file) for file in records(folder / "model") if file.path != "MANIFEST.json"]
        data = {"name": model.name, "version": version, "files": listed}
        (folder / "model" / "MANIFEST.json").write_text(pretty_json(data), encoding="utf-8")
    release = dataclasses.replace(model.releases[0], version=version, location=NOWHERE, evidence=())
    parts = (records(folder / "model"), records(folder / "dataset"))
    return ReleaseFolder(folder, "key", dataclasses.replace(model, releases=()), release, (), *parts)


def complete_release(zoo: Path, version: str = "1.0.0", words: str = "") -> ReleaseFolder:
    """A release folder whose record, manifests and sums agree with its files, which are random bytes, so that it can be
    pulled and verified. words: at the end of the card."""
    folder = zoo / "build" / "releases" / "smollm2-135m-instruct" / version
    shutil.rmtree(folder, ignore_errors=True)
    model = sample().models[0]
    assert model.name == folder.parent.name
    files = []
    for number, file in enumerate(model.releases[0].files):
        raw = random.Random(f"{version} {number}").randbytes(20_000 + number)
        files.append(dataclasses.replace(file, size_bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest()))
        _put(folder / "model" / file.path, raw)
    _put(folder / "model" / "README.md", f"---\nlicense: mit\n---\n# {version}\n{words}".encode())
    recipe = dataclasses.replace(model.releases[0].recipe, text=version, sha256=_sha256(version))
    _put(folder / "model" / "recipe.yaml", version.encode())
    _put(folder / "model" / "evidence" / "gates.json", b"[]")
    _put(folder / "dataset" / "README.md", b"# prompts")
    _put(folder / "dataset" / "data" / "train.jsonl", f'{{"version": "{version}"}}\n'.encode())
    for part in ("model", "dataset"):
        found = records(folder / part)
        manifest = {"name": model.name, "version": version, "files": [vars(file) for file in found]}
        _put(folder / part / "MANIFEST.json", pretty_json(manifest).encode())
        _put(folder / part / "SHA256SUMS", "".join(f"{f.sha256}  {f.path}\n" for f in found).encode())
    release = dataclasses.replace(
        model.releases[0], version=version, files=tuple(files), recipe=recipe, location=NOWHERE, terms=None, lineage=()
    )
    parts = (records(folder / "model"), records(folder / "dataset"))
    bare = dataclasses.replace(model, releases=())
    return with_evidence(ReleaseFolder(folder, "key", bare, release, (), *parts))


def write_record(release: ReleaseFolder, folder: Path) -> None:
    """Write what makes a folder with the files of ``release`` a release folder."""
    told = {
        "key": release.key,
        "model": {k: v for k, v in plain(release.model).items() if k != "releases"},
        "release": {k: v for k, v in plain(release.release).items() if k != "location"},
        "verdicts": [vars(verdict) for verdict in release.verdicts],
        "files": {
            "model": [vars(file) for file in release.model_files],
            "dataset": [vars(file) for file in release.dataset_files],
        },
    }
    _put(folder / "release.json", pretty_json(told).encode())


def _put(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    (tmp_path / "zoo.toml").touch()
    return tmp_path


@pytest.fixture
def settings(zoo: Path) -> Settings:
    return settings_room.load(zoo, {}, {})


def publish(
    release: ReleaseFolder, settings: Settings, hub: Any = None, report: Reporter | None = None, **more: Any
) -> Published:
    hub = hub or FolderHub(settings.root / "build" / "hub")
    known = {name: more.pop(name) for name in ("owner", "recorded", "way", "access", "known_access") if name in more}
    of_user = {name: more.pop(name) for name in ("verify", "delete_others", "stage", "readable") if name in more}
    publication = publishing.Publication(release, NAMES, settings, hub, **known, asked=Asked(**of_user))
    return publishing.apply(publication, report or Silent(), **more)


def through_flow(
    release: ReleaseFolder, settings: Settings, way: Way = Way.PLACE, access: str | None = None,
    report: Reporter | None = None,
) -> Published:  # fmt: skip
    """Publish as ``zoo publish`` does, with the checks before and the catalog after. Of the plan, only the names of
    the repositories are used."""
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1], access=access)
    planned = cast("Planned", SimpleNamespace(recipe=SimpleNamespace(publish=names)))
    return flow.publish(planned, release, settings, report or Silent(), Asked(way=way))


def refs(settings: Settings) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    hub, found = FolderHub(settings.root / "build" / "hub"), {}
    for kind, name in zip(("model", "dataset"), NAMES, strict=True):
        there = hub.repo(kind, "local", name).refs()
        found[kind] = (dict(there.branches), dict(there.tags))
    return found


def read_release(zoo: Path) -> ReleaseFolder:
    """The release folder that make_release left."""
    folder = zoo / "build" / "releases" / "tutor" / "1.0.0"
    model = sample().models[0]
    release = dataclasses.replace(model.releases[0], location=NOWHERE, evidence=())
    return ReleaseFolder(
        folder, "key", model, release, (), records(folder / "model"), records(folder / "dataset")
    )


def with_evidence(release: ReleaseFolder) -> ReleaseFolder:
    from catalog.release import EvidenceFile

    found = [EvidenceFile(**vars(record)) for record in records(release.folder / "model" / "evidence")]
    return dataclasses.replace(release, release=dataclasses.replace(release.release, evidence=tuple(found)))


class Faulty:
    """A hub that does something before its n-th call and records its calls."""

    def __init__(self, hub: FolderHub, act: Callable[[int, str, str], None]) -> None:
        self.hub, self.act, self.calls = hub, act, list[str]()

    @property
    def name(self) -> str:
        return self.hub.name

    def repo(self, kind: str, namespace: str, name: str) -> Any:
        return FaultyRepo(self, kind, self.hub.repo(kind, namespace, name))


class FaultyRepo:
    def __init__(self, faulty: Faulty, kind: str, inner: Any) -> None:
        self.faulty, self.kind, self.inner = faulty, kind, inner

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any) -> Any:
            self.faulty.calls.append(f"{method} {self.kind}")
            self.faulty.act(len(self.faulty.calls), method, self.kind)
            result = getattr(self.inner, method)(*args)
            self.faulty.act(-len(self.faulty.calls), method, self.kind)
            return result

        return call


def failing(settings: Settings, at: str) -> Faulty:
    def act(number: int, method: str, kind: str) -> None:
        if number > 0 and f"{method} {kind}" == at:
            raise ZooError("the hub is away")

    return Faulty(FolderHub(settings.root / "build" / "hub"), act)

@contextmanager
def serving(zoo: Path, monkeypatch: pytest.MonkeyPatch, token: str = "") -> Iterator[str]:
    """The address of the zoo's folder hub behind the real server, for the official client, with this token or none."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    pytest.importorskip("huggingface_hub.constants")
    from zoo.hub.huggingface import client
    from zoo.hub.server import Access, HubServer

    roles = {hashlib.sha256(token.encode()).hexdigest(): "write"} if token else {}
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(zoo / "no-token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr(client, "PAUSES_SECONDS", (0.0, 0.0))
    server = HubServer(zoo / "build/hub", "127.0.0.1", 0, Access(roles, anonymous_write=not token))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.address
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def served(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the zoo's folder hub behind the real server."""
    with serving(zoo, monkeypatch) as address:
        yield address


def put_by_hand(folder: Path, repositories: Iterable[tuple[str, str]], **files: str) -> None:
    """Files that somebody, or the hub itself, puts on the main branches of (kind, name) of a folder hub."""
    for kind, name in repositories:
        repo = FolderHub(folder).repo(kind, "local", name)
        found = []
        for path, content in files.items():
            source = folder.with_name("content")
            source.write_text(content, encoding="utf-8")
            found.append(FileRecord(path, len(content), hashlib.sha256(content.encode()).hexdigest()))
            repo.put(source, found[-1].sha256, unheard)
        repo.commit(repo.refs().branches.get(BRANCH), found, [], "by hand")
