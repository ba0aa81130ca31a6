"""What MANIFEST.json cannot list is pinned as well: the bytes of SHA256SUMS follow from it, the catalog has the
digest of the signature."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from pullsamples import NAME, Say, make_zoo

from catalog import index
from catalog.release import Repository
from zoo.pull import accounts

TARGET = f"{NAME}-1.0.0"

pytest_plugins = ("signingkeys",)


def swapped(raw: bytes) -> bytes:
    """The same lines in another order."""
    first, *others = raw.splitlines(keepends=True)
    return b"".join([*others, first])


SUMS = {
    "another order": swapped,
    "a line twice": lambda raw: raw + raw.splitlines(keepends=True)[0],
    "another sign": lambda raw: raw.replace(b"  ", b" *", 1),
    "no last line feed": lambda raw: raw.rstrip(b"\n"),
    "Windows": lambda raw: raw.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("edit", SUMS)
def test_other_bytes_of_the_sums_are_refused(
    edit: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = make_zoo(tmp_path / "good").contents["SHA256SUMS"]
    zoo = make_zoo(tmp_path / "zoo", SHA256SUMS=SUMS[edit](good))
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q4_0")
    assert code == 1 and "SHA256SUMS: " in err and not (zoo.folder / TARGET).exists()
    code, out, _ = say("verify", NAME, "--on-hub")
    assert code == 3 and "SHA256SUMS: " in out
    code, out, err = say("watch", "--no-upstream")
    assert code == 3 and "SHA256SUMS" in out + err


@pytest.mark.parametrize("edit", SUMS)
def test_other_bytes_of_the_sums_in_a_folder(
    edit: str, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(zoo.folder)
    assert say("pull", f"{NAME}:Q4_0")[0] == 0
    path = zoo.folder / TARGET / "SHA256SUMS"
    path.write_bytes(SUMS[edit](path.read_bytes()))
    code, out, _ = say("verify", TARGET)
    assert code == 3 and "SHA256SUMS: " in out


def test_another_signature_is_refused(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Path]
) -> None:
    key, other = keys["one"], keys["two"]
    theirs = make_zoo(tmp_path / "theirs", other).contents["model.sig"]
    zoo = make_zoo(tmp_path / "zoo", key, model__sig=theirs)
    monkeypatch.chdir(zoo.folder)
    code, out, err = say("pull", f"{NAME}:Q4_0", "--json")
    assert code == 1 and not (zoo.folder / TARGET).exists()
    assert "model.sig: it is not the one that was published" in err
    code, out, _ = say("verify", NAME, "--on-hub")
    assert code == 3 and "model.sig: it is not the one" in out
    code, out, err = say("watch", "--no-upstream")
    assert code == 3 and "model.sig" in out + err


def test_a_signature_that_is_gone_or_was_exchanged_in_a_folder(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Path]
) -> None:
    zoo = make_zoo(tmp_path / "zoo", keys["one"])
    monkeypatch.chdir(zoo.folder)
    assert say("pull", f"{NAME}:Q4_0")[0] == 0
    path = zoo.folder / TARGET / "model.sig"
    assert say("verify", TARGET)[0] == 0 and path.is_file()
    path.write_bytes(path.read_bytes() + b"\n")
    code, out, _ = say("verify", TARGET)
    assert code == 3 and "model.sig: it is not the one" in out


def flipped(raw: bytes, part: str) -> bytes:
    """A signature with one other character in a part: the signed statement, or the signature itself."""
    bundle = json.loads(raw)
    envelope = bundle["dsseEnvelope"]
    place, key = (envelope, "payload") if part == "payload" else (envelope["signatures"][0], "sig")
    at = len(place[key]) // 2
    place[key] = place[key][:at] + ("B" if place[key][at] == "A" else "A") + place[key][at + 1 :]
    return json.dumps(bundle).encode()


@pytest.mark.parametrize("part", ["payload", "sig"])
@pytest.mark.parametrize("pinned", [True, False])
def test_a_signature_that_was_tampered_with(
    part: str, pinned: bool, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Path]
) -> None:
    whole = make_zoo(tmp_path / "whole", keys["one"])
    tampered = flipped(whole.contents["model.sig"], part)
    zoo = make_zoo(tmp_path / "zoo", keys["one"], model__sig=tampered)
    monkeypatch.chdir(zoo.folder)
    if not pinned:
        catalog = zoo.folder / "model_catalog.json"
        data = json.loads(catalog.read_text(encoding="utf-8"))
        data["models"][0]["releases"][0]["location"]["model"].pop("signature_sha256")
        catalog.write_text(json.dumps(data), encoding="utf-8")
    code, _, err = say("pull", f"{NAME}:Q4_0", "--public-key", str(keys["one.pub"]))
    assert code == 1, err
    assert ("it is not the one that was published" if pinned else "not valid") in err
    assert not (zoo.folder / TARGET).exists()
    # In a folder that was right once.
    monkeypatch.chdir(whole.folder)
    assert say("pull", f"{NAME}:Q4_0", "--public-key", str(keys["one.pub"]))[0] == 0
    (whole.folder / TARGET / "model.sig").write_bytes(tampered)
    if pinned:
        code, out, _ = say("verify", TARGET)
        assert code == 3 and "model.sig: it is not the one" in out
    code, out, err = say("verify", TARGET, "--public-key", str(keys["one.pub"]))
    assert code in (1, 3) and "not valid" in out + err, out + err


def test_a_signature_that_nothing_pins_is_not_stored(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo", more={"model.sig": b"{}"})
    monkeypatch.chdir(zoo.folder)
    code, out, err = say("pull", f"{NAME}:Q4_0", "--json")
    assert code == 0, err
    assert not (zoo.folder / TARGET / "model.sig").exists()
    assert "model.sig" not in [one["path"] for one in json.loads(out)["files"]]


def test_an_older_record_gets_the_digest_of_the_signature(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    model, release = zoo.model, zoo.release
    place = dataclasses.replace(release.location.model, signature_sha256="a" * 64)
    pinned = dataclasses.replace(release, location=dataclasses.replace(release.location, model=place))
    for older in (release, dataclasses.replace(release, location=dataclasses.replace(
        release.location, model=dataclasses.replace(place, manifest_sha256=None, signature_sha256=None)))):  # fmt: skip
        known = index.Catalog((dataclasses.replace(model, releases=(older,)),))
        found = index.with_release(known, model, pinned).release(NAME, "1.0.0")
        assert found == pinned
    other = dataclasses.replace(place, signature_sha256="b" * 64)
    changed = dataclasses.replace(release, location=dataclasses.replace(release.location, model=other))
    with pytest.raises(index.CatalogConflict):
        index.with_release(index.Catalog((dataclasses.replace(model, releases=(pinned,)),)), model, changed)


def test_no_pin_compares_nothing() -> None:
    assert not list(accounts.signature_against_pin(None, Repository("a/b", "0" * 40, "v1")))
