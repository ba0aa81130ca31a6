"""zoo verify and zoo pull where the hub has lost a content, has a token withheld, or the receipt is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from publishsamples import serving
from pullsamples import NAME, Say, Zoo

from zoo import addresses
from zoo.errors import InputError
from zoo.pull import webfile


def lose(zoo: Zoo, path: str) -> None:
    (place,) = [one for one in zoo.release.files if one.path == path]
    (zoo.folder / "build/hub/objects" / place.sha256[:2] / place.sha256).unlink()


def test_a_lost_content_is_a_difference_without_reading_every_byte(
    zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(zoo.folder, monkeypatch) as address:
        code, out, _ = say("verify", NAME, "--on-hub", "--hub", address)
        assert code == 0 and "contents were not read. To read every byte, add: --full" in out
        lose(zoo, zoo.large)
        code, out, _ = say("verify", NAME, "--on-hub", "--hub", address)
        assert code == 3 and f"{zoo.large}: the hub lists it, but has lost its content" in out
        code, out, err = say("verify", NAME, "--on-hub", "--full", "--hub", address)
        assert code == 3 and "has lost the content of" in out and zoo.large in out and "trying again" not in err
        code, out, err = say("pull", f"{NAME}:Q8_0", "--hub", address)
        assert code == 1 and "has lost the content of" in err and "Ask the owner of the repository" in err
        assert "trying again" not in err and "retry" not in err


def test_a_damaged_receipt_is_named(zoo: Zoo, say: Say) -> None:
    say("pull", f"{NAME}:Q8_0")
    receipt = zoo.folder / f"{NAME}-1.0.0" / ".zoo" / "pull.json"
    assert "receipt" in say("verify", f"./{NAME}-1.0.0")[1]
    receipt.write_text("{", encoding="utf-8")
    code, out, err = say("verify", f"./{NAME}-1.0.0")
    assert code == 0 and "receipt" not in out
    assert ".zoo/pull.json is damaged" in err and f"zoo pull {NAME}@1.0.0 --to {NAME}-1.0.0" in err


def test_a_name_outside_a_zoo_is_not_found(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(tmp_path / "outside")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    code, _, err = say("verify", "nosuch")
    assert code == 2 and "nosuch was not found" in err and "--from" not in err and "--catalog" in err


def test_a_withheld_token_is_explained(zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(zoo.folder, monkeypatch, token="a" * 40) as address:
        catalog = zoo.folder / "model_catalog.json"
        data = json.loads(catalog.read_text(encoding="utf-8"))
        for one in data["models"][0]["releases"]:
            one["location"] |= {"hub": address, "access": "private"}
        catalog.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        from zoo.hub import FolderHub

        namespace, _, name = zoo.release.location.model.name.partition("/")
        FolderHub(zoo.folder / "build/hub").repo("model", namespace, name).set_access("private")
        for words in (["pull", f"{NAME}:Q8_0"], ["verify", NAME, "--on-hub"], ["watch", "--no-upstream"]):
            code, out, err = say(*words)
            assert code == 1, (words, out, err)
            assert f"zoo hub trust {address}" in err and "HF_TOKEN" not in out + err, (words, out, err)


def test_what_a_query_says_is_never_shown(say: Say) -> None:
    assert addresses.shown("http://a.example/c.json?sig=SECRET") == "http://a.example/c.json?..."
    assert addresses.shown("why?.json") == "why?.json"
    code, out, err = say("pull", NAME, "--catalog", "http://127.0.0.1:9/c.json?sig=SECRET", "--json")
    assert code == 1 and "SECRET" not in out + err and "http://127.0.0.1:9/c.json?..." in out + err
    assert "SECRET" not in str(webfile.told("http://a.example/c?sig=SECRET", OSError("gone")))


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("source", ["hf:user:SECRET@x/y", "hf:SECRET@x/y", "hf:https://u:SECRET@h/x/y"])
def test_a_password_in_a_source_is_never_shown(source: str, say: Say) -> None:
    code, out, err = say("new", "t", "--source", source)
    assert code == 2 and "SECRET" not in out + err and "must not contain a name or a password" in err


def test_names_of_this_machine_are_one_place() -> None:
    same = ["http://localhost:8000", "http://LOCALHOST:8000/", "http://127.0.0.1:8000", "http://[::1]:8000"]
    assert all(addresses.is_same_place(one, other) for one in same for other in same)
    for other in ("http://localhost:8001", "https://localhost:8000", "http://example.org:8000", "http://localhost:8000/x"):
        assert not addresses.is_same_place(same[0], other)
    with pytest.raises(InputError):
        addresses.parse("hub", "x")


def test_https_to_a_port_with_plain_http(zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(zoo.folder, monkeypatch) as address:
        wrong = address.replace("http://", "https://")
        code, out, err = say("pull", f"{NAME}:Q8_0", "--hub", wrong)
        assert code == 1 and f"{wrong} does not speak https" in out + err, err


def test_a_password_in_the_variable_is_said_of_the_variable(
    zoo: Zoo, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(zoo.folder, monkeypatch) as address:
        monkeypatch.setenv("HF_ENDPOINT", "https://user:SECRET@hub.example")
        code, out, err = say("verify", NAME, "--on-hub", "--hub", address)
        assert code == 2 and "HF_ENDPOINT" in err and "hub of the catalog" not in err and "SECRET" not in out + err
