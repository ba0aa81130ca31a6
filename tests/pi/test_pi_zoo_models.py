"""``pi-zoo`` as a person uses it: list, recommend, pull, verify, remove, from a site on this machine."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import rangeserver
import waiting
from boardsite import NAME, VERSION, command, environment, pi_zoo, write
from rangeserver import Site

from pi_runtime import download, sources, store
from pi_runtime.settings import InvalidArguments

Q8, Q4 = f"{NAME}@{VERSION}:Q8_0", f"{NAME}@{VERSION}:Q4_K_M"
PI = ("--device", "pi-5-4gb")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with rangeserver.serving(write(tmp_path / "site")) as one:
        yield one


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def stored(home: Path, kind: str) -> Path:
    return home / "models" / NAME / VERSION / f"{NAME}-{kind}.gguf"


def test_a_newcomer_is_asked_for_the_site_once(site: Site, home: Path) -> None:
    done = pi_zoo(home, "list", *PI)
    assert done.returncode == 2
    assert done.stderr == "No catalog is known yet. Name the site or a catalog file once: pi-zoo list --from https://...\n"
    done = pi_zoo(home, "list", "--from", site.address, *PI)
    assert done.returncode == 0 and NAME in done.stdout and "predicted" in done.stdout, done.stderr
    assert f"Recommended: {Q8}" in pi_zoo(home, "recommend", *PI).stdout
    # Without the site the copy is used, and the reason is shown.
    site.shutdown()
    site.server_close()
    done = pi_zoo(home, "recommend", *PI)
    assert done.returncode == 0 and "cannot be reached" in done.stderr and "copy from the last time" in done.stderr


def test_sudo_knows_the_site_that_the_person_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "home" / store.OWN
    own.mkdir(parents=True)
    named = str(write(tmp_path / "site") / "catalog.json")
    (own / "source.json").write_text(json.dumps({"source": named}))
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.setattr(store, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: types.SimpleNamespace(pw_dir=str(tmp_path / "home")))
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))
    assert sources.last().source == named
    # A file of somebody else, or no sudo: root reads nothing there.
    monkeypatch.setenv("SUDO_UID", str(os.getuid() + 1))
    with pytest.raises(InvalidArguments, match="No catalog is known yet"):
        sources.last()
    monkeypatch.delenv("SUDO_UID")
    assert store.of_caller("source.json") is None


def test_the_arithmetic_is_shown_before_anything_is_downloaded(site: Site, home: Path) -> None:
    done = pi_zoo(home, "recommend", "--from", site.address, "--device", "pi-zero-2")
    words = "+ 47.2 MB for the cache of 2,048 tokens + 100.7 MB for buffers = 148.1 MB. 187.4 MB stay free."
    assert words in done.stdout
    assert "Speed: predicted " in done.stdout and "Nobody has measured it on this board." in done.stdout
    answer = json.loads(pi_zoo(home, "recommend", "--device", "pi-zero-2", "--json").stdout)["answer"]
    speed = answer["decode_tokens_per_second"]
    assert not speed["measured"] and speed["low"] < speed["typical"] < speed["high"]
    need = answer["memory_bytes"]
    assert need["total"] == need["weights"] + need["cache"] + need["buffer"]
    assert not any(path.endswith(".gguf") for path, _ in site.seen)


def test_pull_takes_the_recommended_file_and_verifies_it(site: Site, home: Path) -> None:
    done = pi_zoo(home, "pull", NAME, "--from", site.address, *PI)
    assert done.returncode == 0, done.stderr
    assert f"{Q8} is on this board, and every byte is as the catalog lists it" in done.stdout
    path = stored(home, "Q8_0")
    served = site.folder / "download" / NAME / VERSION / path.name
    assert path.read_bytes() == served.read_bytes() and path.stat().st_mode & 0o444 == 0o444
    assert (path.parent / "MANIFEST.json").read_bytes() == (served.parent / "MANIFEST.json").read_bytes()
    again = pi_zoo(home, "pull", NAME, *PI)
    assert "already on this board" in again.stdout and sum(p.endswith(".gguf") for p, _ in site.seen) == 1


def test_a_flipped_byte_is_found_and_the_file_can_be_replaced(site: Site, home: Path) -> None:
    pi_zoo(home, "pull", Q4, "--from", site.address, *PI)
    path = stored(home, "Q4_K_M")
    assert pi_zoo(home, "verify").returncode == 0
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    done = pi_zoo(home, "verify", NAME)
    assert done.returncode == 1 and "DAMAGED" in done.stdout and "has the sha256" in done.stderr
    assert f"pi-zoo remove {Q4}, then pi-zoo pull {Q4}" in done.stderr
    assert pi_zoo(home, "pull", Q4, *PI).returncode == 0 and pi_zoo(home, "verify", Q4).returncode == 0
    (path.parent / "MANIFEST.json").write_text("{}")
    assert "is not the list that the catalog pinned" in pi_zoo(home, "verify").stderr
    path.unlink()
    assert "is missing" in pi_zoo(home, "verify").stderr


def test_remove_leaves_nothing_of_the_model(site: Site, home: Path) -> None:
    for spec in (Q8, Q4):
        pi_zoo(home, "pull", spec, "--from", site.address, *PI)
    done = pi_zoo(home, "remove", NAME)
    assert done.returncode == 1 and "means several files" in done.stderr and Q8 in done.stderr
    assert "removed" in pi_zoo(home, "remove", Q8).stdout and pi_zoo(home, "verify").returncode == 0
    pi_zoo(home, "remove", NAME, "--all")
    assert list((home / "models").iterdir()) == []
    done = pi_zoo(home, "remove", NAME)
    assert done.returncode == 1 and f"Download it: pi-zoo pull {NAME}" in done.stderr


def test_a_download_that_is_cut_resumes_where_it_stopped(site: Site, home: Path) -> None:
    site.cut = 120_000
    done = pi_zoo(home, "pull", Q8, "--from", site.address, *PI)
    assert done.returncode == 0, done.stderr
    spans = [span for path, span in site.seen if path.endswith(".gguf")]
    assert spans == [None, "bytes=120000-", "bytes=240000-"]


def test_a_kill_loses_nothing_that_arrived(site: Site, home: Path) -> None:
    big = write(site.folder / "big", 40_000_000)
    site.folder, site.cut = big, 20_000_000
    site.go.clear()
    running = subprocess.Popen(
        command("pull", Q8, "--from", site.address, *PI), env=environment(home), stderr=subprocess.DEVNULL
    )
    part = stored(home, "Q8_0").with_suffix(".gguf.part")
    waiting.until(lambda: part.is_file() and part.stat().st_size > 1_000_000)
    running.send_signal(signal.SIGKILL)
    running.wait()
    site.go.set()
    arrived = part.stat().st_size
    site.cut, site.seen[:] = 1 << 60, []
    assert pi_zoo(home, "pull", Q8, *PI).returncode == 0
    (start,) = [span for path, span in site.seen if path.endswith(".gguf")]
    assert start == f"bytes={arrived}-" and not part.exists()


def test_a_server_without_ranges_starts_again(site: Site, home: Path) -> None:
    part = stored(home, "Q8_0").with_suffix(".gguf.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"GGUF and something else")
    site.ranges = False
    assert pi_zoo(home, "pull", Q8, "--from", site.address, *PI).returncode == 0
    assert pi_zoo(home, "verify").returncode == 0


@pytest.mark.parametrize("name", [f"{NAME}-Q8_0.gguf", "MANIFEST.json"])
def test_other_bytes_than_the_catalog_lists_are_refused(site: Site, home: Path, name: str) -> None:
    path = site.folder / "download" / NAME / VERSION / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    done = pi_zoo(home, "pull", Q8, "--from", site.address, *PI)
    assert done.returncode == 1 and "sha256" in done.stderr and "Traceback" not in done.stderr
    assert store.kept([home]) == [] and "is not on this board" in pi_zoo(home, "verify", Q8).stderr


def test_what_would_swap_is_refused_with_the_sum_unless_forced(site: Site, home: Path) -> None:
    asked = (Q8, "--memory-gb", "0.25", "--bandwidth-gbs", "2")
    done = pi_zoo(home, "pull", *asked, "--from", site.address)
    assert done.returncode == 1 and "would make this board swap" in done.stderr
    assert "MB for the cache of 2,048 tokens + 100.7 MB for buffers = 148.1 MB" in done.stderr
    assert "134.2 MB free for a model" in done.stderr and "add --force" in done.stderr
    assert not any(path.endswith(".gguf") for path, _ in site.seen)
    assert pi_zoo(home, "pull", *asked, "--force").returncode == 0


def test_without_llama_server_one_sentence_says_what_to_install(site: Site, home: Path) -> None:
    pi_zoo(home, "pull", Q8, "--from", site.address, *PI)
    for arguments in (("run", NAME, "--prompt", "x"), ("embed", NAME, "x"), ("serve", NAME)):
        done = pi_zoo(home, *arguments, PATH="/nonexistent")
        assert done.returncode == 1
        assert "llama-server is not installed: install the package pi-zoo-runtime" in done.stderr, done.stderr
    found = json.loads(pi_zoo(home, "doctor", "--json", PATH="/nonexistent").stdout)["findings"]
    assert [one["state"] for one in found if "llama-server is not" in one["text"]] == ["BAD"]
    assert any(Q8 in one["text"] and one["state"] == "good" for one in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recommend", "nothing"), "The catalog has no model 'nothing'"),
        (("recommend", f"{NAME}@9.9.9"), "has no such version"),
        (("pull", f"{NAME}:Q1_0"), "No file has the type 'Q1_0'. Types: Q8_0, Q4_K_M"),
        (("pull", "../x"), "is not NAME, NAME@VERSION or NAME@VERSION:TYPE"),
        (("recommend", NAME, "--context", "100000"), "is at most 8,192 tokens"),
        (("recommend", "--device", "pi-9"), "No device has the id 'pi-9'"),
        (("recommend", "--memory-gb", "4"), "needs both --memory-gb and --bandwidth-gbs"),
        (("recommend", "--min-speed", "-1"), "must be positive numbers"),
        (("recommend", "--language", "xx"), "No file fits"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(site: Site, home: Path, arguments: tuple[str, ...], words: str) -> None:
    device = () if "--device" in arguments or "--memory-gb" in arguments else PI
    done = pi_zoo(home, *arguments, "--from", site.address, *device)
    assert done.returncode in (1, 2) and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["http://example.org/", "ftp://127.0.0.1/x", "https://x.org\\y", "file:///x", "https://["])
def test_only_https_and_this_machine(address: str) -> None:
    with pytest.raises(InvalidArguments, match="Plain http is used only on this machine"):
        download.checked(address)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "address",
    [f"https://user:{SECRET}@x.org/", f"http://user:{SECRET}@127.0.0.1/", rf"https://user:{SECRET}\@x.org/",
     rf"https:\\user:{SECRET}@x.org", f"https:/user:{SECRET}@x.org/", f" HTTPS://{SECRET}@x.org",
     f"https://x.org:{SECRET}@"],
)
def test_a_password_in_an_address_is_refused_and_never_shown(
    address: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArguments, match="must not contain a name or a password"):
        download.checked(address)
    done = pi_zoo(home, "list", "--from", address)
    assert done.returncode == 2 and SECRET not in done.stdout + done.stderr
    assert not any(SECRET in path.read_text() for path in home.rglob("*") if path.is_file())
    monkeypatch.setenv("PI_ZOO_CATALOG", address)
    with pytest.raises(InvalidArguments):
        sources.last()


def test_the_file_of_a_catalog_is_a_source_too(site: Site, home: Path) -> None:
    path = str(site.folder / "catalog.json")
    assert f"Recommended: {Q8}" in pi_zoo(home, "recommend", "--from", path, *PI).stdout
    done = pi_zoo(home, "pull", Q8, *PI)
    assert done.returncode == 1 and "The catalog names no address of" in done.stderr


def test_a_model_with_a_short_context_is_asked_for_its_own(site: Site, home: Path) -> None:
    path = site.folder / "catalog.json"
    path.write_text(path.read_text().replace('"context_tokens": 8192, "layers"', '"context_tokens": 700, "layers"'))
    done = pi_zoo(home, "recommend", NAME, "--from", str(path), *PI)
    assert done.returncode == 0 and "for the cache of 700 tokens" in done.stdout, done.stderr
    done = pi_zoo(home, "recommend", NAME, "--context", "2048", *PI)
    assert done.returncode == 1 and "is at most 700 tokens" in done.stderr


def test_who_measured_is_named_without_control_characters(site: Site, home: Path) -> None:
    path = site.folder / "catalog.json"
    data = json.loads(path.read_text())
    for file in data["models"][0]["releases"][0]["files"]:
        file["speeds"] = [{**file["speeds"][0], "device": "pi-5-8gb", "threads": 4, "valid": True,
                           "decode_tokens_per_second": 40.0, "by": "A\u001b[2Jda"}]  # fmt: skip
    path.write_text(json.dumps(data))
    out = pi_zoo(home, "recommend", "--from", str(path), *PI).stdout
    assert "Speed: measured 40.0 tokens/s on pi-5-8gb (same processor), 4 threads, by A [2Jda" in out
    assert "Nobody has measured" not in out and "\x1b" not in out


def test_another_user_without_rights_gets_a_sentence(site: Site, home: Path) -> None:
    if os.geteuid() == 0:
        home.parent.joinpath("home").write_text("a file, not a folder")
    done = pi_zoo(home, "pull", Q8, "--from", site.address, *PI)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
