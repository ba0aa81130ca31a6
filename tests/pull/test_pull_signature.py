"""zoo pull --require-signature and zoo verify --public-key, with real keys."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("model_signing")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pullsamples import NAME, Say, make_zoo, manifest_of, write_catalog

from catalog.index import Catalog
from zoo.files.digests import pretty_json

TARGET = f"{NAME}-1.0.0"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A private key, its public key, and another public key."""
    paths = []
    for number in range(2):
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = tmp_path / f"key-{number}", tmp_path / f"key-{number}.pub"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        paths += [private, public]
    return paths[0], paths[1], paths[3]


def test_a_signed_release_is_taken_and_verified(
    tmp_path: Path, keys: tuple[Path, Path, Path], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo", keys[0])
    monkeypatch.chdir(zoo.folder)
    code, out, err = say(
        "pull", f"{NAME}:Q8_0", "--require-signature", "--public-key", str(keys[1]), "--json"
    )
    assert code == 0, err
    assert json.loads(out)["signer"].startswith("key ") and json.loads(out)["unlisted"] == []
    code, out, _ = say("verify", TARGET, "--public-key", str(keys[1]))
    assert code == 0 and "signature by key" in out
    code, out, _ = say("verify", TARGET, "--public-key", str(keys[2]))
    assert code == 3 and "model.sig: it is signed by key" in out and "not by the key in key-1.pub" in out
    assert "expected" not in out
    assert say("verify", NAME, "--on-hub")[0] == 0
    assert say("verify", NAME, "--on-hub", "--public-key", str(keys[1]))[0] == 2


def test_the_model_of_an_unsigned_release_is_not_fetched(
    tmp_path: Path, keys: tuple[Path, Path, Path], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--require-signature", "--public-key", str(keys[1]))
    assert code == 1 and "the release is not signed" in err
    assert not (zoo.folder / TARGET / zoo.large).exists()
    assert not (zoo.folder / TARGET / ".zoo" / "pull.json").exists()
    assert say("pull", f"{NAME}:Q8_0")[0] == 0


@pytest.mark.parametrize("signed", [True, False])
def test_no_mirror_is_tried_after_a_refused_signature(
    signed: bool, tmp_path: Path, keys: tuple[Path, Path, Path], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo", keys[0] if signed else None)
    place = zoo.release.location
    release = dataclasses.replace(zoo.release, mirrors=(dataclasses.replace(place, hub="http://127.0.0.1:9"),))
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, releases=(release,)),)))
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--require-signature", "--public-key", str(keys[2]))
    assert code == 1 and "mirror" not in err and "127.0.0.1:9" not in err, err
    assert ("it is signed by key" if signed else "the release is not signed") in err
    assert not list((zoo.folder / TARGET).glob("*.gguf"))


def test_a_release_that_somebody_else_signed(
    tmp_path: Path, keys: tuple[Path, Path, Path], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = make_zoo(tmp_path / "zoo", keys[0])
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--public-key", str(keys[2]))
    assert code == 1 and "it is signed by key" in err and not (zoo.folder / TARGET / zoo.large).exists()


def test_accounts_that_agree_and_are_not_those_that_were_signed(
    tmp_path: Path, keys: tuple[Path, Path, Path], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The manifest has the same data in other bytes, so only the signature detects it.
    manifest = pretty_json(manifest_of(make_zoo(tmp_path / "first").contents)).encode() + b"\n"
    zoo = make_zoo(tmp_path / "zoo", keys[0], pinned=False, MANIFEST__json=manifest)
    monkeypatch.chdir(zoo.folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", "--public-key", str(keys[1]))
    assert code == 1 and "MANIFEST.json has other content" in err
    assert not (zoo.folder / TARGET / zoo.large).exists()


@pytest.mark.parametrize(
    "words",
    [("--require-signature",), ("--identity", "x"), ("--public-key", "nix"), ("--public-key", "x", "--identity", "y")],
)
def test_who_must_have_signed_is_said(
    words: tuple[str, ...], tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_zoo(tmp_path / "zoo").folder)
    code, _, err = say("pull", f"{NAME}:Q8_0", *words)
    assert code == 2 and ("public-key" in err or "file nix was not found" in err)
