"""What zoo pull writes into a folder: only the release, over nothing of anybody else's, and nothing when it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pullsamples import NAME, Say, Zoo, make_zoo, manifest_of
from signingkeys import keys as keys

from catalog.release import Repository
from zoo.errors import RemoteError
from zoo.files.digests import pretty_json
from zoo.hub import Listed
from zoo.hub.download import Fetched, Origin, Patience
from zoo.pull import pulling
from zoo.pull.arriving import Arrival

SMALL = ("pull", f"{NAME}:Q4_0", "--to", "w")
ACCOUNTS = {"MANIFEST.json", "SHA256SUMS", "README.md", "recipe.yaml"}
STRANGE = {".envrc": b"rm -rf ~\n", ".git": b"gitdir: /elsewhere\n", "Makefile": b"all:\n", "conftest.py": b"boom()\n"}

FETCH = Arrival.fetch
PLACE = Repository("local/m", "0" * 40, "v1.0.0")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    made = make_zoo(tmp_path / "zoo", more=STRANGE)
    monkeypatch.chdir(made.folder)
    return made


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- Only the release


def test_only_what_the_release_lists_is_written_and_the_rest_is_named(zoo: Zoo, say: Say) -> None:
    code, out, err = say(*SMALL)
    assert code == 0
    assert {name for name in everything(zoo.folder / "w") if not name.startswith(".zoo/")} == {
        "model-Q4_0.gguf", *ACCOUNTS,
    }  # fmt: skip
    assert "They were not downloaded: .envrc, .git, Makefile, conftest.py" in err
    assert json.loads(say(*SMALL, "--json")[1])["unlisted"] == sorted(STRANGE)
    assert out


def test_a_hidden_file_is_not_written_even_if_it_is_listed(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    obeyed = dict.fromkeys((".envrc", "zoo.toml", "Makefile", "sitecustomize.py", "model_catalog.json"), b"x\n")
    made = make_zoo(tmp_path / "zoo", licences={**obeyed, "LICENSE": b"free\n", "GEMMA_TERMS.md": b"terms\n"})
    monkeypatch.chdir(made.folder)
    assert say(*SMALL)[0] == 0
    there = {path.name for path in (made.folder / "w").iterdir()}
    assert {"LICENSE", "GEMMA_TERMS.md", "README.md", "recipe.yaml"} <= there and not there & set(obeyed)


# --- Over nothing of anybody else's


def test_files_that_pull_did_not_write_are_not_replaced(zoo: Zoo, say: Say) -> None:
    folder = zoo.folder / "w"
    folder.mkdir()
    mine = {"README.md": b"mine\n", "model-Q4_0.gguf": b"my own weights", "other.txt": b"x"}
    for name, raw in mine.items():
        (folder / name).write_bytes(raw)
    code, _, err = say(*SMALL)
    assert code == 2 and "README.md, model-Q4_0.gguf" in err and "--force" in err and "other.txt" not in err
    assert everything(folder) == mine
    code, _, err = say(*SMALL, "--force")
    assert code == 0 and "replacing files that zoo pull did not write: README.md, model-Q4_0.gguf" in err
    found = everything(folder)
    assert found["README.md"] == zoo.contents["README.md"] and found["other.txt"] == b"x"


def test_the_same_bytes_and_an_earlier_pull_are_in_nobodys_way(zoo: Zoo, say: Say) -> None:
    folder = zoo.folder / "w"
    folder.mkdir()
    (folder / "README.md").write_bytes(zoo.contents["README.md"])
    assert say(*SMALL)[0] == 0
    (folder / "recipe.yaml").write_bytes(b"changed after the pull")
    assert say(*SMALL)[0] == 0 and (folder / "recipe.yaml").read_bytes() == zoo.contents["recipe.yaml"]
    # Without the receipt nobody knows whose it is.
    (folder / ".zoo" / "pull.json").unlink()
    (folder / "recipe.yaml").write_bytes(b"changed again")
    assert say(*SMALL)[0] == 2 and (folder / "recipe.yaml").read_bytes() == b"changed again"


def test_a_link_of_somebody_is_not_replaced_and_not_followed(zoo: Zoo, say: Say) -> None:
    folder, victim = zoo.folder / "w", zoo.folder / "victim"
    folder.mkdir()
    victim.write_bytes(b"precious")
    (folder / "README.md").symlink_to(victim)
    assert say(*SMALL)[0] == 2 and (folder / "README.md").is_symlink()
    assert say(*SMALL, "--force")[0] == 0 and not (folder / "README.md").is_symlink()
    assert victim.read_bytes() == b"precious"


def test_nothing_is_written_through_a_linked_folder(zoo: Zoo, say: Say) -> None:
    folder, elsewhere = zoo.folder / "w", zoo.folder / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / ".zoo").symlink_to(elsewhere)
    for words in (SMALL, (*SMALL, "--force")):
        code, _, err = say(*words)
        assert code == 2 and ".zoo is a link" in err
    assert everything(elsewhere) == {} and not [*elsewhere.iterdir()]


# --- Nothing when it refuses


def refusals(tmp_path: Path) -> dict[str, Zoo]:
    spaced = pretty_json(manifest_of(make_zoo(tmp_path / "first").contents)).encode() + b"\n"
    return {
        "a manifest with another digest": make_zoo(tmp_path / "a", MANIFEST__json=spaced),
        "a card with other bytes": make_zoo(tmp_path / "b", README__md=b"# Another\n"),
    }


@pytest.mark.parametrize("mine", [None, b"my notes"])
def test_what_is_refused_leaves_nothing(
    mine: bytes | None, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    for made in refusals(tmp_path).values():
        monkeypatch.chdir(made.folder)
        folder = made.folder / "w"
        if mine:
            folder.mkdir()
            (folder / "notes.txt").write_bytes(mine)
        assert say(*SMALL)[0] == 1
        assert (everything(folder) == {"notes.txt": mine} and not (folder / ".zoo").exists()) if mine else (
            not folder.exists()
        )  # fmt: skip


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("before", [False, True])
def test_a_refused_signature_leaves_the_folder_as_it_was(
    before: bool,
    links: bool,
    keys: dict[str, Path],
    tmp_path: Path,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = make_zoo(tmp_path / "zoo", keys["one"])
    monkeypatch.chdir(made.folder)
    if not links:

        def refuse(*_: Path) -> None:
            raise PermissionError("this file system has no links")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    folder = made.folder / "w"
    if before:
        assert say(*SMALL)[0] == 0
    found = everything(folder)
    code, _, err = say(*SMALL, "--public-key", str(keys["two.pub"]))
    assert code == 1 and "it is signed by key" in err
    assert everything(folder) == found and folder.exists() == before
    assert not (folder / ".zoo" / "incoming").exists()


def lost(self: Arrival, files: Sequence[Listed]) -> list[Fetched]:
    """Fetches all but one file; then the connection is lost."""
    FETCH(self, [file for file in files if file.path != "model-Q4_0.gguf"])
    raise RemoteError("the connection broke", kind="unreachable")


def test_what_a_lost_connection_interrupts_stays_for_the_next_try(
    zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arrival, "fetch", lost)
    assert say(*SMALL)[0] == 1
    waiting = zoo.folder / "w" / ".zoo" / "incoming"
    assert set(everything(waiting)) == ACCOUNTS and set(everything(zoo.folder / "w")) >= {".zoo/incoming/README.md"}
    assert not (zoo.folder / "w" / "README.md").exists()
    monkeypatch.setattr(Arrival, "fetch", FETCH)
    assert say(*SMALL)[0] == 0 and not waiting.exists()


def test_wrong_content_after_an_interrupted_try_leaves_no_folder(
    zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arrival, "fetch", lost)
    assert say(*SMALL)[0] == 1 and (zoo.folder / "w/.zoo/incoming/README.md").exists()
    monkeypatch.setattr(Arrival, "fetch", FETCH)
    raw = zoo.contents["model-Q4_0.gguf"]
    sha256 = hashlib.sha256(raw).hexdigest()
    stored = zoo.hub.folder / "objects" / sha256[:2] / sha256
    stored.chmod(0o644)
    stored.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    code, _, err = say(*SMALL)
    assert code == 1 and "wrong content twice" in err
    assert not (zoo.folder / "w").exists()


def test_two_at_once_share_a_folder(zoo: Zoo) -> None:
    quants = ("Q4_0", "Q8_0", "Q4_0", "F16")
    program = "import sys; from zoo.__main__ import main; sys.exit(main(sys.argv[1:]))"
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", program, "pull", f"{NAME}:{quant}", "--to", "w", "--quiet"],
            cwd=zoo.folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
        )
        for quant in quants
    ]  # fmt: skip
    for one in running:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
    found = everything(zoo.folder / "w")
    assert {name for name in found if name.endswith(".gguf")} == {f"model-{quant}.gguf" for quant in quants}
    assert set(json.loads(found[".zoo/pull.json"])["files"]) == {
        *ACCOUNTS, *(f"model-{quant}.gguf" for quant in quants)
    }  # fmt: skip


def test_a_list_of_files_that_is_far_too_long_is_not_downloaded() -> None:
    told = {path: Listed(path, size, "0" * 64) for path, size in (("MANIFEST.json", 1 << 31), ("SHA256SUMS", 1))}
    with pytest.raises(RemoteError, match=r"MANIFEST\.json of x is larger than that of any release"):
        # Nothing of the hub is asked any more.
        pulling.accounts(Origin(cast(Any, None), "0" * 40, "x"), told, PLACE, "m", None, Patience())
