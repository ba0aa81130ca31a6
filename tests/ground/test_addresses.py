"""Addresses with a name or password: refused before any request, and never shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.checks import CheckedRecipe
from catalog.secrets import has_secret, hidden
from zoo import addresses, settings
from zoo.__main__ import main
from zoo.errors import InputError
from zoo.hub import Hubs
from zoo.output import Output

SECRET = "p4ssw0rd"
BAD = (
    f"https://user:{SECRET}@127.0.0.1:9/c.json", f"http://{SECRET}@hub.example", f"https://user:a@{SECRET}@x/y@z",
    f"http://user:{SECRET}\\@localhost:1", f"https://user\\:{SECRET}@h", f"https://user:{SECRET}'@h",
    f"https:/user:{SECRET}@x", f"https:\\\\user:{SECRET}@x", f"HTTP:user:{SECRET}'@x",
    f"user:{SECRET}@127.0.0.1:9", f"//user:{SECRET}@h:1/x", f"ftp://user:{SECRET}@x",
    f"HTTPS://u:{SECRET}@h", f"https://u:{SECRET}%40@h:1/?q#f",
)  # fmt: skip


def takers() -> list[list[str]]:
    """Every command that takes an address, with its other arguments; the address comes last."""
    import click

    from zoo.cli import zoo as program

    context, found = click.Context(program), []
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        words = [name]
        for one in command.params:
            if isinstance(one, click.Argument) and one.nargs == 1:
                words.append("x@1.0.0")
            elif one.required:
                words += [one.opts[0], "good"]
        options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}
        found += [[*words, "--hub"]] * ("--hub" in options)
        if name in ("pull", "verify"):
            found.append([*words, *(["--on-hub"] if name == "verify" else []), "--catalog"])
    return found


def test_a_query_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        addresses.parse(f"http://127.0.0.1:9/?token={SECRET}", "flag --hub")
    assert SECRET not in caught.value.what and "http://127.0.0.1:9/?..." in caught.value.what


def test_the_commands_that_change_a_hub_are_among_them() -> None:
    assert {"pull", "publish", "yank", "unyank", "release", "doctor", "watch"} <= {words[0] for words in takers()}


@pytest.mark.parametrize("address", BAD)
@pytest.mark.parametrize("form", [[], ["--json"], ["--log", "json"], ["--json", "--log=json", "--quiet"]])
@pytest.mark.parametrize("words", takers(), ids=" ".join)
def test_no_command_takes_or_shows_one(
    words: list[str], form: list[str], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "zoo.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert main([*words, address, *form]) == 2
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert "must not contain a name or a password" in said.err


@pytest.mark.parametrize(
    "command", [["doctor"], ["doctor", "--json"], ["check"], ["catalog", "--log", "json"]]
)
@pytest.mark.parametrize("way", ["file", "environment", "builder"])
def test_no_setting_takes_or_shows_one(
    way: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = {"file": f'hub = "{BAD[0]}"\n', "builder": f'builder = "{BAD[0]}"\n'}.get(way, "")
    (tmp_path / "zoo.toml").write_text(text, encoding="utf-8")
    if way == "environment":
        monkeypatch.setenv("ZOO_HUB", BAD[0])
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err and "setting" in said.err


def test_the_clients_own_setting_is_read_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    hubsource = pytest.importorskip("zoo.sources.hub")
    for address in BAD:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(InputError, match="must not contain") as caught:
            hubsource.endpoint()
        assert SECRET not in str(caught.value) and caught.value.where == "environment HF_ENDPOINT"


def test_a_recipe_would_publish_it(check_text: Callable[..., CheckedRecipe], zoo_folder: Path) -> None:
    text = next((zoo_folder / "recipes").glob("smollm2-135m-instruct.yaml")).read_text(encoding="utf-8")
    changed = text.replace("\nsummary: ", f"\nsummary: See https://me:{SECRET}@example.org/x. #", 1)
    assert changed != text
    (problem,) = check_text(changed, "smollm2-135m-instruct").problems
    assert problem.path == "summary" and "password" in problem.what and SECRET not in str(problem)


def test_what_slips_through_elsewhere_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = f"cannot reach https://user:{SECRET}@proxy.example:3128/path@2 or {BAD[2]}"
    for output in (Output(), Output(json=True, events=True)):
        output.say(text)
        output.error(text)
        output.answer({"why": text, "list": [text]}, text)
        output.table({"why": text}, text, ("a", "b"), [(text, text)], text)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert "***@proxy.example:3128/path@2" in said.out
    for line in said.err.splitlines():
        if line.startswith("{"):
            assert "***@proxy.example" in json.loads(line)["text"]


def test_addresses_without_one_are_left_alone() -> None:
    for text in (
        "https://example.org/@user",
        "mailto:a@b.c",
        "hf:a/b@main",
        "https://x/?m=a@b",
        "a://b/c@d",
        "x@y",
    ):
        assert not has_secret(text) and hidden(text) == text
    assert addresses.parse("https://hub.example/", "here") == "https://hub.example"
    assert addresses.parse("https://x/c.json?raw=1", "here", query=True) == "https://x/c.json?raw=1"
    for bad in (
        "https://",
        "http://a b",
        "https://x:99999",
        "https://[::1",
        "https://x\n",
        "hub",
        "https://x?q",
    ):
        with pytest.raises(InputError, match="not a valid http address"):
            addresses.parse(bad, "here")


def test_capitals_in_scheme_and_host_mean_the_same(tmp_path: Path) -> None:
    assert addresses.parse("HTTP://Hub.Example:80/Some/Path/", "x") == "http://hub.example:80/Some/Path"
    assert addresses.parse("HtTpS://H/c.json?A=B", "x", query=True) == "https://h/c.json?A=B"
    assert addresses.is_http("HTTPS://h") and not addresses.is_http("build/http://h") and not addresses.is_http("ftp://h")
    (tmp_path / "zoo.toml").write_text('hub = "HTTPS://Hub.Example/"\nsite_url = "HTTPS://Zoo.Example/A"\n')
    found = settings.load(tmp_path, {}, {})
    assert (found.hub, found.site_url) == ("https://hub.example", "https://zoo.example/A/")
    assert settings.load(tmp_path, {"hub": "Http://127.0.0.1:9"}, {}).hub == "http://127.0.0.1:9"
    found = Hubs(tmp_path, "HTTP://Hub.Example").open("HTTP://HUB.example")
    assert found.name == "http://hub.example"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node1:29400", ("node1", 29400)), ("10.0.0.7:1", ("10.0.0.7", 1)), ("[fd00::1]:29400", ("fd00::1", 29400)),
        ("[::1%eth0]:65535", ("::1%eth0", 65535)), ("node1", None), ("node1:", None), (":29400", None),
        ("node1:0", None), ("node1:65536", None), ("node1:٣", None), ("fd00::1:29400", None), ("[fd00::1:29400", None),
        ("http://node1:29400", None), ("user@node1:29400", None), ("a b:1", None), ("node1\n:1", None), ("", None),
        ("node1:99999999999999", None), ("[]:1", None),
        ("*:29400", None), ("a..b:29400", None), (f"{'a' * 64}:29400", None), (f"{'a' * 63}:1", ("a" * 63, 1)),
    ],
)  # fmt: skip
def test_where_machines_meet(text: str, found: tuple[str, int] | None) -> None:
    assert addresses.meeting(text) == found
