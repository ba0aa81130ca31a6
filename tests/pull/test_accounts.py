"""Hub, manifest, sums and catalog: whatever differs is refused, and one digest pins every file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pullsamples import LARGE, NAME, Say, Zoo, make_zoo, manifest_of, write_catalog

from catalog.index import Catalog
from zoo.files.digests import pretty_json
from zoo.pull import accounts


def altered(zoo_path: Path, **changes: bytes) -> Zoo:
    return make_zoo(zoo_path, **changes)


def other_manifest(change: Callable[[dict[str, Any]], None], base: Path) -> bytes:
    data = manifest_of(make_zoo(base).contents)
    change(data)
    return pretty_json(data).encode()


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another digest": lambda m: m["files"][-1].update(sha256="0" * 64),
    "another length": lambda m: m["files"][-1].update(size_bytes=1),
    "a file less": lambda m: m["files"].pop(),
    "a file more": lambda m: m["files"].append({"path": "x", "size_bytes": 1, "sha256": "0" * 64}),
    "another name": lambda m: m.update(name="other"),
    "another version": lambda m: m.update(version="2.0.0"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_manifest_that_says_otherwise(
    case: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = other_manifest(CHANGES[case], tmp_path / "first")
    zoo = altered(tmp_path / "zoo", MANIFEST__json=raw)
    monkeypatch.chdir(zoo.folder)
    code, out, err = say("pull", f"{NAME}:Q8_0", "--json")
    answer = json.loads(out)
    assert code == 1 and answer["kind"] == "disagreement" and answer["facts"]["differences"], err
    assert not (zoo.folder / f"{NAME}-1.0.0" / zoo.large).exists()
    assert say("verify", NAME, "--on-hub")[0] == 3


ESCAPING = b'{"name": 1, "version": 2, "files": [{"path": "../x", "size_bytes": 1, "sha256": ""}]}'


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", ESCAPING])
def test_a_manifest_that_is_invalid(raw: bytes, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = altered(tmp_path / "zoo", MANIFEST__json=raw)
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0")
    assert code == 1 and "not a valid manifest" in err
    assert say("verify", "--on-hub")[0] == 3


def test_sums_and_contents_that_differ(tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = altered(tmp_path / "zoo", SHA256SUMS=b"x", README__md=b"another card")
    monkeypatch.chdir(zoo.folder)
    _, out, _ = say("pull", f"{NAME}:Q8_0", "--json")
    told = {(d["path"], d["of"]) for d in json.loads(out)["facts"]["differences"]}
    assert told == {("SHA256SUMS", "SHA256SUMS"), ("README.md", "MANIFEST.json")}


def test_an_object_that_was_damaged_on_the_hubs_disk(zoo: Zoo, say: Say) -> None:
    digest = next(f.sha256 for f in zoo.release.files if f.path == zoo.large)
    stored = zoo.hub.folder / "objects" / digest[:2] / digest
    stored.chmod(0o644)
    stored.write_bytes(b"x" * LARGE)
    code, out, _ = say("pull", f"{NAME}:Q8_0", "--json")
    assert code == 1 and json.loads(out)["kind"] == "hash_mismatch"
    assert not (zoo.folder / f"{NAME}-1.0.0" / zoo.large).exists()
    code, out, _ = say("verify", NAME, "--on-hub")
    assert code == 3 and f"{zoo.large}: the hub serves other bytes" in out


# --- The digest of the manifest pins every file


def altered_everywhere(folder: Path, *, pinned: bool) -> Zoo:
    """A hub with another card, and with accounts that agree with it."""
    card = b"# Another model\n"
    data = manifest_of(make_zoo(folder / "first").contents)
    files = data["files"]
    assert isinstance(files, list)
    for entry in files:
        if entry["path"] == "README.md":
            entry |= {"size_bytes": len(card), "sha256": hashlib.sha256(card).hexdigest()}
    sums = "".join(f"{entry['sha256']}  {entry['path']}\n" for entry in files).encode()
    changes = {"README__md": card, "MANIFEST__json": pretty_json(data).encode(), "SHA256SUMS": sums}
    return make_zoo(folder / "zoo", pinned=pinned, **changes)


def test_a_hub_that_changes_the_card_and_all_its_own_accounts(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = altered_everywhere(tmp_path, pinned=True)
    monkeypatch.chdir(made.folder)
    code, _, err = say("pull", f"{NAME}:Q4_0")
    assert code == 1 and "MANIFEST.json: it is not the one that was published" in err
    assert not (made.folder / f"{NAME}-1.0.0").exists()
    code, out, _ = say("verify", NAME, "--on-hub")
    assert code == 3 and "it is not the one that was published" in out
    # Files that came from elsewhere, compared with the catalog here.
    say("pull", f"{NAME}:Q4_0", "--catalog", str(unpinned(made)), "--hub", str(made.hub.folder), "--to", "files")
    code, out, _ = say("verify", "files/")
    assert code == 3 and "it is not the one that was published" in out


def unpinned(zoo: Zoo) -> Path:
    """The catalog as a program before this digest wrote it, in another folder."""
    place = zoo.release.location
    bare = dataclasses.replace(place, model=dataclasses.replace(place.model, manifest_sha256=None))
    model = dataclasses.replace(zoo.model, releases=(dataclasses.replace(zoo.release, location=bare),))
    (zoo.folder / "older").mkdir(exist_ok=True)
    return write_catalog(zoo.folder / "older", Catalog((model,)))


def test_an_older_catalog_stays_valid_and_it_is_said(zoo: Zoo, say: Say) -> None:
    path = unpinned(zoo)
    assert "manifest_sha256" not in path.read_text(encoding="utf-8")
    words = ("--catalog", str(path), "--hub", str(zoo.hub.folder))
    code, out, _ = say("pull", f"{NAME}:Q4_0", *words)
    assert code == 0 and accounts.UNPINNED in out
    assert accounts.UNPINNED in say("verify", f"{NAME}-1.0.0/", "--catalog", str(path))[1]
    assert accounts.UNPINNED in say("verify", NAME, "--on-hub", *words)[1]
    for out in (say("pull", f"{NAME}:Q4_0")[1], say("verify", f"{NAME}-1.0.0/")[1]):
        assert accounts.UNPINNED not in out
    assert json.loads(say("verify", f"{NAME}-1.0.0/", "--json")[1])["places"][0]["pinned"] is True
