"""zoo pull and zoo verify, as a user calls them."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pullsamples import LARGE, NAME, Say, Zoo, make_zoo, write_catalog
from sitesamples import completion
from smalldisk import mounted

from catalog.index import Catalog
from catalog.release import Terms, YankEvent
from zoo.choose import pick as picks
from zoo.pull import machine, names


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".zoo" not in p.parts}


ACCOUNTS = {"MANIFEST.json", "SHA256SUMS", "README.md", "recipe.yaml"}


# --- Pull


def test_the_named_file_comes_with_its_accounts(zoo: Zoo, say: Say) -> None:
    code, out, err = say("pull", f"{NAME}@1.0.0:q8_0")
    folder = zoo.folder / f"{NAME}-1.0.0"
    assert code == 0, err
    assert files_in(folder) == {zoo.large, *ACCOUNTS}
    assert {name: (folder / name).read_bytes() for name in files_in(folder)}.items() <= zoo.contents.items()
    assert f"llama-cli -m {NAME}-1.0.0/{zoo.large} -c 2048 -cnv" in out
    checked = subprocess.run(
        ["sha256sum", "-c", "--ignore-missing", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0 and f"{zoo.large}: OK" in checked.stdout


TEXTS = {"LICENSE": b"Gemma Terms of Use\n" * 30_000, "NOTICE": b"Gemma is provided under ...\n"}


def test_a_completion_model_is_run_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    made = make_zoo(tmp_path / "zoo")
    write_catalog(made.folder, completion(Catalog((made.model,))))
    monkeypatch.chdir(made.folder)
    code, out, err = say("pull", f"{NAME}@1.0.0:q8_0")
    assert code == 0, err
    assert "This is a completion model" in out and "llama-cli" not in out
    assert f"llama-completion -m {NAME}-1.0.0/{made.large} -c 2048 -no-cnv" in out


def test_licence_texts_come_next_to_the_model_and_are_verified(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_zoo(tmp_path / "zoo", licences=TEXTS)
    monkeypatch.chdir(made.folder)
    code, out, err = say("pull", f"{NAME}@1.0.0:q8_0")
    folder = made.folder / f"{NAME}-1.0.0"
    assert code == 0, err
    assert {name: (folder / name).read_bytes() for name in TEXTS} == TEXTS
    assert "Its licence texts are next to it, also verified: LICENSE, NOTICE" in out
    assert json.loads(say("pull", f"{NAME}@1.0.0:q8_0", "--json")[1])["licence_texts"] == ["LICENSE", "NOTICE"]
    assert say("verify", str(folder))[0] == 0
    (folder / "LICENSE").write_bytes(b"Other terms\n")
    code, out, err = say("verify", str(folder))
    assert code != 0 and "LICENSE" in out + err
    # The next pull puts the right text back.
    assert say("pull", f"{NAME}@1.0.0:q8_0")[0] == 0 and (folder / "LICENSE").read_bytes() == TEXTS["LICENSE"]
    (folder / "NOTICE").unlink()
    assert say("verify", str(folder))[0] != 0


def test_a_licence_text_that_is_another_on_the_hub_is_not_taken(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_zoo(tmp_path / "zoo", licences=TEXTS, NOTICE=b"Other words\n")
    monkeypatch.chdir(made.folder)
    code, out, err = say("pull", f"{NAME}@1.0.0:q8_0")
    assert code != 0 and "NOTICE" in out + err
    assert not (made.folder / f"{NAME}-1.0.0" / made.large).exists()


def test_a_licence_text_that_the_manifest_forgot(zoo: Zoo, say: Say) -> None:
    release = dataclasses.replace(zoo.release, terms=Terms(None, None, None, (), ("LICENSE",)))
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, releases=(release,)),)))
    code, out, err = say("pull", f"{NAME}@1.0.0:q8_0")
    assert code != 0 and "LICENSE: the catalog lists this licence text" in out + err


@pytest.mark.usefixtures("zoo")
def test_again_nothing_is_fetched(say: Say) -> None:
    assert json.loads(say("pull", f"{NAME}:Q8_0", "--json")[1])["received_bytes"] > LARGE
    code, out, _ = say("pull", f"{NAME}:Q8_0", "--json")
    answer = json.loads(out)
    assert (code, answer["received_bytes"], {f["by"] for f in answer["files"]}) == (0, 0, {"here"})
    assert "everything was already here" in say("pull", f"{NAME}:Q8_0")[1]


def test_two_files_of_a_version_share_a_folder(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0", "--to", "files")
    assert say("pull", f"{NAME}:Q4_0", "--to", "files")[0] == 0
    assert files_in(zoo.folder / "files") == {zoo.large, "model-Q4_0.gguf", *ACCOUNTS}
    assert say("verify", "files/")[0] == 0


@pytest.mark.usefixtures("zoo")
def test_without_a_quant_the_recommended_one_comes_with_its_reason(say: Say) -> None:
    code, out, err = say("pull", NAME, "--device", "pi-5-4gb", "--json")
    answer = json.loads(out)
    picked = json.loads(say("pick", NAME, "--device", "pi-5-4gb", "--json")[1])
    assert code == 0 and answer["file"]["path"] == picked["file"]["path"] and answer["reason"] == picked["reason"]
    assert answer["device"] == "pi-5-4gb" and f"Chosen: {answer['file']['path']}." in err


@pytest.mark.usefixtures("zoo")
def test_without_a_device_it_is_this_machine(say: Say) -> None:
    code, out, err = say("pull", NAME, "--json")
    assert code == 0 and json.loads(out)["device"] == "this-machine" and "this machine" in err


def test_a_context_for_which_nothing_fits(zoo: Zoo, say: Say) -> None:
    grown = [dataclasses.replace(f, memory=tuple(dataclasses.replace(m, bytes=10**12) for m in f.memory))
             for f in zoo.release.files]  # fmt: skip
    release = dataclasses.replace(zoo.release, files=tuple(grown))
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, releases=(release,)),)))
    code, _, err = say("pull", NAME, "--device", "pi-zero-2")
    assert code == 1 and "No file fits" in err and "name it: F16, Q8_0" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nobody",), "no model 'nobody'"),
        (("smollm2-135m-instrukt",), f"Did you mean {NAME}?"),
        ((f"{NAME}@9.9.9",), "no version '9.9.9'"),
        ((f"{NAME}:Q8_1",), "Did you mean Q8_0?"),
        ((f"{NAME}@",), "is not a model name"),
        ((f"{NAME}:",), "is not a model name"),
        (("a/b",), "is not a model name"),
        ((NAME, "--device", "pi-5-4g"), "Did you mean pi-5-4gb?"),
        ((NAME, "--context", "999999"), "longer than the model's own"),
        ((NAME, "--timeout", "0"), "not a valid time"),
        ((NAME, "--catalog", "nix.json"), "catalog nix.json was not found"),
        ((NAME, "--catalog", "ftp://x/y"), "is not a valid http address"),
    ],
)
def test_invalid_arguments(words: tuple[str, ...], told: str, zoo: Zoo, say: Say) -> None:
    code, _, err = say("pull", *words)
    assert code == 2 and told in err
    assert not list(zoo.folder.glob(f"{NAME}-*"))


def test_a_folder_holds_one_release(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q4_0", "--to", "files")
    manifest = zoo.folder / "files" / "MANIFEST.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("1.0.0", "0.9.0"), encoding="utf-8")
    code, _, err = say("pull", f"{NAME}:Q4_0", "--to", "files")
    assert code == 2 and f"contains {NAME} 0.9.0" in err and "--to" in err
    code, _, err = say("pull", NAME, "--device", "pi-5-4gb", "--to", "zoo.toml")
    assert code == 2 and "zoo.toml is a file" in err and "--to" in err


# --- Yanked


def yanked(zoo: Zoo, *, replacement: str | None = None) -> None:
    event = YankEvent("1.0.0", "2026-11-24", "yank", "the template is wrong", "high", replacement)
    write_catalog(zoo.folder, Catalog((dataclasses.replace(zoo.model, yanks=(event,)),)))


def test_a_yanked_version_is_refused_with_its_reason(zoo: Zoo, say: Say) -> None:
    yanked(zoo, replacement=f"{NAME}@1.0.1")
    code, _, err = say("pull", f"{NAME}@1.0.0:Q8_0")
    assert code == 3 and "the template is wrong" in err and "severity high" in err
    assert f"zoo pull {NAME}@1.0.1" in err and "--allow-yanked" in err
    assert not (zoo.folder / f"{NAME}-1.0.0").exists()
    code, _, err = say("pull", f"{NAME}@1.0.0:Q8_0", "--allow-yanked")
    assert code == 0 and "warning" in err and "is yanked" in err


def test_an_experimental_model_is_pulled_with_a_warning(zoo: Zoo, say: Say) -> None:
    model = dataclasses.replace(zoo.model, maturity="experimental", bad_at=("everything",))
    write_catalog(zoo.folder, Catalog((model,)))
    code, _, err = say("pull", f"{NAME}@1.0.0:Q8_0")
    assert code == 0 and "is experimental, so no file of it is recommended. It is bad at: everything" in err


def test_the_refusal_of_a_yanked_version_follows_yanks_to_what_stands(zoo: Zoo) -> None:
    old = [dataclasses.replace(zoo.release, version=version) for version in ("1.2.0", "1.1.0", "1.0.0")]
    events = [
        YankEvent(version, "2026-11-24", "yank", "it is slow", None, f"{NAME}@{then}")
        for version, then in (("1.0.0", "1.1.0"), ("1.1.0", "1.2.0"))
    ]
    chained = Catalog((dataclasses.replace(zoo.model, releases=tuple(old), yanks=tuple(events)),))
    with pytest.raises(names.Yanked) as refused:
        names.choose(chained, names.parse(f"{NAME}@1.0.0"))
    assert f"zoo pull {NAME}@1.2.0." in str(refused.value.remedy)


def test_the_newest_version_that_is_not_yanked_is_taken(zoo: Zoo) -> None:
    newer = dataclasses.replace(zoo.release, version="1.1.0")
    event = YankEvent("1.1.0", "2026-11-24", "yank", "it is slow", "low", None)
    model = dataclasses.replace(zoo.model, releases=(newer, zoo.release), yanks=(event,))
    chosen = names.choose(Catalog((model,)), names.parse(NAME))
    assert chosen.release.version == "1.0.0" and chosen.notes == ("1.1.0 is yanked: it is slow",)
    assert names.choose(Catalog((model,)), names.parse(NAME), True).release.version == "1.1.0"
    with pytest.raises(names.Yanked, match="every version"):
        names.choose(Catalog((dataclasses.replace(model, releases=(newer,)),)), names.parse(NAME))


def versions_of(zoo: Zoo, *versions: str, yanked: tuple[str, ...] = ()) -> Catalog:
    releases = tuple(dataclasses.replace(zoo.release, version=version) for version in versions)
    events = tuple(YankEvent(version, "2026-11-24", "yank", "slow", "low", None) for version in yanked)
    return Catalog((dataclasses.replace(zoo.model, releases=releases, yanks=events),))


@pytest.mark.parametrize(
    ("versions", "yanked", "plain", "pre"),
    [
        (("1.1.0-rc.1", "1.0.0"), (), "1.0.0", "1.1.0-rc.1"),
        (("1.2.0", "1.1.0-rc.1", "1.0.3"), ("1.2.0",), "1.0.3", "1.1.0-rc.1"),
        (("1.1.0", "1.1.0-rc.2", "1.1.0-rc.1"), (), "1.1.0", "1.1.0"),
        (("1.0.0-rc.2", "1.0.0-rc.1"), (), "1.0.0-rc.2", "1.0.0-rc.2"),
        (("1.1.0-rc.1", "1.0.0"), ("1.0.0",), "1.1.0-rc.1", "1.1.0-rc.1"),
    ],
)
def test_a_pre_release_is_taken_only_if_asked_for_or_if_nothing_else_is_there(
    versions: tuple[str, ...], yanked: tuple[str, ...], plain: str, pre: str, zoo: Zoo
) -> None:
    catalog = versions_of(zoo, *versions, yanked=yanked)
    chosen = names.choose(catalog, names.parse(NAME))
    assert chosen.release.version == plain
    assert any("is a pre-release" in note for note in chosen.notes) == ("-" in plain)
    assert names.choose(catalog, names.parse(NAME), pre=True).release.version == pre
    current, newest = picks.current(catalog.models[0]), picks.current(catalog.models[0], pre=True)
    assert current and newest and (current.version, newest.version) == (plain, pre)


def test_the_commands_take_a_pre_release_with_pre(zoo: Zoo, say: Say) -> None:
    write_catalog(zoo.folder, versions_of(zoo, "1.1.0-rc.1", "1.0.0"))
    pick = ("pick", NAME, "--device", "pi-5-8gb", "--json")
    assert json.loads(say(*pick)[1])["version"] == "1.0.0"
    assert json.loads(say(*pick, "--pre")[1])["version"] == "1.1.0-rc.1"
    code, out, _ = say("pull", f"{NAME}:Q4_0", "--json")
    assert code == 0 and json.loads(out)["version"] == "1.0.0"
    code, _, err = say("pull", f"{NAME}:Q4_0", "--pre")
    # The hub of this test has only 1.0.0, so the manifest belongs to another release.
    assert code == 1 and f"{NAME} 1.1.0-rc.1" in err


def test_verify_and_catalog_say_that_a_version_is_withdrawn(zoo: Zoo, say: Say) -> None:
    assert say("pull", f"{NAME}:Q4_0")[0] == 0
    event = YankEvent("1.0.0", "2026-11-24", "yank", "the template is wrong", "high", f"{NAME}@1.1.0")
    newer = dataclasses.replace(zoo.release, version="1.1.0")
    model = dataclasses.replace(zoo.model, releases=(newer, zoo.release), yanks=(event,))
    write_catalog(zoo.folder, Catalog((model,)))
    words = f"WITHDRAWN on 2026-11-24 (severity: high): the template is wrong. Use {NAME}@1.1.0 instead."
    for told in (("verify", f"{NAME}-1.0.0/"), ("verify", f"{NAME}@1.0.0", "--on-hub")):
        code, out, _ = say(*told)
        assert code == 0 and words in " ".join(out.split()), out
        code, out, _ = say(*told, "--json")
        assert json.loads(out)["places"][0]["withdrawn"]["reason"] == "the template is wrong"
    code, out, _ = say("catalog")
    assert code == 0 and "WITHDRAWN" in out and "the template is wrong" in out
    row = next(line for line in out.splitlines() if "1.1.0" in line)
    assert "WITHDRAWN" not in row


def test_a_former_name_leads_to_the_new_one(zoo: Zoo) -> None:
    catalog = Catalog((dataclasses.replace(zoo.model, former_names=("old",)),))
    chosen = names.choose(catalog, names.parse("old:Q8_0"))
    assert chosen.model.name == NAME and chosen.notes == (f"old is now called {NAME}",)


# --- Other catalogs


@pytest.fixture
def web(zoo: Zoo) -> Iterator[str]:
    """The address of a web server over the zoo's folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=str(zoo.folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_catalog_of_another_zoo_at_an_address(
    zoo: Zoo, web: str, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    code, _, err = say("pull", f"{NAME}:Q4_0")
    assert code == 2 and "Add --from" in err
    catalog = f"{web}/model_catalog.json"
    code, _, err = say("pull", f"{NAME}:Q4_0", "--catalog", catalog)
    assert code == 2 and "add --hub" in err
    code, _, err = say("pull", f"{NAME}:Q4_0", "--catalog", catalog, "--hub", str(zoo.hub.folder))
    assert code == 0, err
    assert say("verify", f"{NAME}-1.0.0")[0] == 0
    code, out, _ = say("pull", f"{NAME}:Q4_0", "--catalog", f"{web}/nix.json", "--json")
    assert code == 1 and json.loads(out)["kind"] == "not_found"
    code, _, err = say("pull", f"{NAME}:Q4_0", "--catalog", f"{web}/zoo.toml")
    assert code == 2 and "the catalog is not valid" in err
    text = (zoo.folder / "model_catalog.json").read_text(encoding="utf-8")
    (outside / "theirs.json").write_text(text.replace('"size_bytes": ', '"size_bytes": -'), encoding="utf-8")
    code, _, err = say("pull", f"{NAME}:Q4_0", "--catalog", "theirs.json")
    assert code == 2 and "the catalog is not valid" in err and "size_bytes" in err
    assert "Name another catalog with --catalog, or report it to the owner of this one" in err
    assert "version control" not in err and "Write" not in err, "the file is not the reader's"


# --- This machine


@pytest.mark.parametrize(
    ("board", "gigabytes", "device"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", 7.87, "pi-5-8gb"), ("Raspberry Pi 5 Model B Rev 1.1", 1.98, "pi-5-2gb"),
        ("Raspberry Pi 4 Model B Rev 1.5", 3.71, "pi-4-4gb"), ("Raspberry Pi Zero 2 W Rev 1.0", 0.41, "pi-zero-2"),
        ("Raspberry Pi 400 Rev 1.0", 3.7, "pi-400"), ("Raspberry Pi 3 Model B", 0.9, None), ("", 16, None),
        ("Raspberry Pi 5 Model B", 64, None),
    ],
)  # fmt: skip
def test_boards_are_known_by_their_own_name(board: str, gigabytes: float, device: str | None) -> None:
    found = machine.profile_of(board, int(gigabytes * 2**30))
    assert (found.id if found else None) == device


def test_secrets_and_paths_stay_out_of_the_receipt(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q4_0")
    text = (zoo.folder / f"{NAME}-1.0.0" / ".zoo" / "pull.json").read_text(encoding="utf-8")
    assert str(zoo.folder) not in text and os.environ["HOME"] not in text
    assert json.loads(text)["commit"] == zoo.commit


@pytest.mark.parametrize("trouble", ["full", "absent", "read-only"])
@pytest.mark.usefixtures("zoo")
def test_a_full_disk_of_this_machine_is_no_difference(
    trouble: str, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verify stores two small files for a moment; if it cannot, it does not report a difference of the hub."""
    with mounted(tmp_path / "small", "16k") as scratch:
        (scratch / "others").write_bytes(b"x" * 12_000)
        if trouble == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", scratch], check=True)
        monkeypatch.setattr(tempfile, "tempdir", str(scratch if trouble != "absent" else scratch / "none"))
        code, out, err = say("verify", NAME, "--on-hub")
    assert code == 1 and "could not be checked" in out and "difference" not in out, (out, err)
