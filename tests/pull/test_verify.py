"""zoo verify: every difference is reported, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from pullsamples import NAME, Say, Zoo, manifest_of, write_catalog

from catalog.index import Catalog
from zoo.files.digests import pretty_json
from zoo.pull import accounts


def test_a_difference_of_any_kind_is_reported(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0")
    folder = zoo.folder / f"{NAME}-1.0.0"
    kept = zoo.folder / "kept"
    shutil.copytree(folder, kept)

    def damage(path: str, raw: bytes | None) -> tuple[int, str]:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        if raw is None:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(raw)
        code, out, _ = say("verify", NAME)
        return code, out

    large = zoo.contents[zoo.large]
    flipped = large[:-1] + bytes([large[-1] ^ 1])
    for path, raw, words in (
        (zoo.large, flipped, "its content differs"), (zoo.large, large[:-1], "its length differs"),
        (zoo.large, None, "it is missing"), ("README.md", b"", "its length differs"),
        ("SHA256SUMS", b"x", "has a line"), ("SHA256SUMS", b"", "SHA256SUMS and MANIFEST.json differ"),
        ("MANIFEST.json", b"{}", "not a valid manifest"),
    ):  # fmt: skip
        code, out = damage(path, raw)
        assert code == 3 and words in out, (path, out)
    manifest = manifest_of(zoo.contents)
    manifest["files"][0]["sha256"] = "0" * 64
    code, out = damage("MANIFEST.json", pretty_json(manifest).encode())
    assert code == 3 and "README.md" in out
    assert damage("README.md", zoo.contents["README.md"])[0] == 0


def test_a_link_is_no_file(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0")
    path = zoo.folder / f"{NAME}-1.0.0" / "README.md"
    path.rename(zoo.folder / "elsewhere")
    path.symlink_to(zoo.folder / "elsewhere")
    code, out, _ = say("verify", NAME)
    assert code == 3 and "it is a link" in out


def test_what_is_not_of_the_release_is_reported_and_is_no_difference(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0")
    (zoo.folder / f"{NAME}-1.0.0" / "notes.txt").write_text("mine", encoding="utf-8")
    code, out, _ = say("verify", NAME)
    assert code == 0 and "not of the release: notes.txt" in out


def test_the_catalog_has_a_say(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0")
    first, *others = zoo.release.files
    release = dataclasses.replace(zoo.release, files=(dataclasses.replace(first, sha256="1" * 64), *others))
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, releases=(release,)),)))
    code, out, _ = say("verify", NAME)
    assert code == 3 and f"{first.path}: MANIFEST.json and the catalog differ" in out


def test_the_hub_and_what_it_has_too_much(zoo: Zoo, say: Say) -> None:
    code, out, _ = say("verify", NAME, "--on-hub", "--json")
    (place,) = json.loads(out)["places"]
    assert code == 0 and place["files"] == len(zoo.contents) and "content" in place["against"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "beside", lambda path: path == "MANIFEST.json")
        # Publishing keeps files that others put into the repository, so they are named and are no difference.
        code, out, _ = say("verify", NAME, "--on-hub")
        assert code == 0 and "not of the release: SHA256SUMS" in out


@pytest.mark.usefixtures("zoo")
def test_nothing_to_verify(say: Say, tmp_path: Path) -> None:
    code, _, err = say("verify", NAME)
    assert code == 2 and f"zoo verify {NAME} --on-hub" in err
    code, _, err = say("verify", str(tmp_path))
    assert code == 2 and "has no MANIFEST.json" in err
    assert say("verify", "a/b/c")[0] == 2
