"""``zoo publish --all`` and ``zoo release --all``: all looked at first, one failure stops no other, resumable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml
from publishsamples import serving

from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.hub import FolderHub, connect

pytest.importorskip("llama_cpp")

NAMES = ("apple", "pear", "plum")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with three small recipes, all built."""
    folder = tinyzoo.make_tiny_zoo(tmp_path_factory.mktemp("several") / "zoo")
    for path in (folder / "recipes").glob("*.yaml"):
        path.unlink()
    for name in NAMES:
        tinyzoo.write_recipe(folder, tinyzoo.smallest_recipe(folder, name))
    done = tinyzoo.run(folder, "build", *NAMES, "--quiet")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def zoo(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(built, tmp_path / "zoo")
    monkeypatch.chdir(tmp_path / "zoo")
    return tmp_path / "zoo"


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main([*arguments, "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def states(answer: Any) -> dict[str, str]:
    return {one["recipe"]: one["state"] for one in answer["recipes"]}


def published(zoo: Path) -> list[str]:
    settings = settings_room.load(zoo, {}, {})
    return [model.name for model in catalogfile.read_catalog(settings.catalog, "catalog").models]


def change(zoo: Path, name: str, **changes: Any) -> None:
    path = zoo / f"recipes/{name}.yaml"
    tinyzoo.write_recipe(zoo, {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes})


def test_everything_that_is_built_is_published_once(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, err = call(capsys, "publish", "--all")
    assert (code, states(answer)) == (0, dict.fromkeys(NAMES, "released")), err
    assert published(zoo) == list(NAMES)
    before = tinyzoo.tree(zoo / "build/hub")
    code, answer, _ = call(capsys, "publish", "--all")
    assert (code, states(answer)) == (0, dict.fromkeys(NAMES, "out before"))
    assert tinyzoo.tree(zoo / "build/hub") == before
    # What is open to everybody now may be closed without a new version.
    change(zoo, "plum", publish={"model": "plum-gguf", "access": "private"})
    code, answer, err = call(capsys, "publish", "--all")
    assert (code, states(answer)["plum"], states(answer)["pear"]) == (0, "released", "out before"), err


def test_a_failure_stops_no_other_and_the_same_command_finishes(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # One has no build, and one's repository belongs to another model.
    shutil.rmtree(zoo / "build/releases/apple")
    assert call(capsys, "publish", "plum")[0] == 0
    change(zoo, "pear", publish={"model": "plum-gguf"})
    change(zoo, "plum", publish={"model": "other-gguf"})
    assert call(capsys, "build", "pear")[0] == 0
    change(zoo, "plum", publish={"model": "plum-gguf"})
    before = tinyzoo.tree(zoo / "build/hub")
    code, answer, err = call(capsys, "publish", "--all")
    assert code == 1 and answer["failed"] == 1
    assert states(answer) == {"apple": "not built", "pear": "failed", "plum": "out before"}
    assert "pear is left out" in err and tinyzoo.tree(zoo / "build/hub") == before
    words = {one["recipe"]: one["words"] for one in answer["recipes"]}
    assert "zoo build apple" in words["apple"]
    change(zoo, "pear", publish={"model": "pear-gguf"})
    assert call(capsys, "build", "pear")[0] == 0
    code, answer, _ = call(capsys, "publish", "--all")
    assert (code, states(answer)["pear"], published(zoo)) == (0, "released", ["pear", "plum"])


def test_all_are_looked_at_before_the_first_byte(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last recipe is asked about while the hub is still empty."""
    from zoo import flow

    seen: list[tuple[str, bool]] = []
    original = flow.targets

    def look(planned: Any, *rest: Any) -> Any:
        seen.append((planned.plan.name, (zoo / "build/hub").exists()))
        return original(planned, *rest)

    monkeypatch.setattr(flow, "targets", look)
    assert call(capsys, "publish", "--all")[0] == 0
    assert seen == [(name, False) for name in NAMES]


def test_a_kill_between_two_releases_is_finished_by_the_same_command(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo import flow

    original, calls = flow.publish, []

    def killed(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(flow, "publish", killed)
    assert main(["publish", "--all"]) == 130
    monkeypatch.undo()
    monkeypatch.chdir(zoo)
    capsys.readouterr()
    assert published(zoo) == ["apple"]
    code, answer, _ = call(capsys, "publish", "--all")
    assert code == 0 and states(answer) == {"apple": "out before", "pear": "released", "plum": "released"}
    repo = FolderHub(zoo / "build/hub").repo("model", "tiny", "apple-gguf")
    assert len(repo.history(repo.refs().branches["main"], None)) == 1


def test_release_all_builds_what_is_missing(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "publish", "plum")[0] == 0
    shutil.rmtree(zoo / "build/releases/apple")
    (zoo / "recipes/pear.yaml").write_text("zoo: 1\n", encoding="utf-8")
    code, answer, err = call(capsys, "release", "--all")
    assert code == 1 and states(answer) == {"apple": "released", "pear": "failed", "plum": "out before"}, err
    assert published(zoo) == ["apple", "plum"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["publish"], "no recipe was named"),
        (["publish", "--all", "plum"], "use --all alone"),
        (["publish", "--all", "--repair"], "use --all alone"),
        (["release"], "no recipe was named"),
        (["release", "--all", "plum"], "use --all alone"),
    ],
)
@pytest.mark.usefixtures("zoo")
def test_all_stands_alone(arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert what in capsys.readouterr().err


# --- Over HTTP, with a token: private, staged, all together, with notes and a collection


def items(address: str, zoo: Path) -> dict[str, str]:
    """Name and note of what the zoo's collection lists."""
    shelf = connect(address, zoo).collections("tiny")
    assert shelf
    return {one.name: one.note for collection in shelf.find() for one in collection.entries}


def moves(zoo: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in (zoo / "build/hub").rglob("refs.log")}


def test_private_staged_and_together_over_http(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(zoo, monkeypatch, "writer-token-0123456789") as address:
        (zoo / "zoo.toml").write_text('namespace = "tiny"\ncollection = "Fruit"\n', encoding="utf-8")
        at = ("--hub", address)
        change(zoo, "pear", publish={"model": "pear-gguf", "access": "private"})
        change(zoo, "apple", notes=["It is the first one."])
        for name in ("pear", "apple"):
            assert call(capsys, "build", name)[0] == 0

        # Staged: complete for those who know of it, and not there for all others.
        assert call(capsys, "publish", "plum", "--stage", *at)[0] == 0
        assert call(capsys, "pull", "plum@1.0.0:Q8_0", "--staged", "--to", "staged", *at)[0] == 0
        assert published(zoo) == [] and items(address, zoo) == {}

        # Together: the staged one becomes the release, the private one is not listed.
        code, answer, err = call(capsys, "publish", "--all", *at)
        assert code == 0 and set(states(answer).values()) == {"released"}, err
        assert sorted(published(zoo)) == sorted(NAMES)
        assert set(items(address, zoo)) == {"tiny/apple-gguf", "tiny/plum-gguf"}
        hub = FolderHub(zoo / "build/hub")
        for name in NAMES:
            refs = hub.repo("model", "tiny", f"{name}-gguf").refs()
            assert set(refs.branches) == {"main"} and set(refs.tags) == {"v1.0.0"}, "the branch of the staging is gone"
        apple = hub.repo("model", "tiny", "apple-gguf")
        with apple.open(apple.refs().tags["v1.0.0"], "README.md") as stream:
            assert "It is the first one." in stream.read().decode()
        before = moves(zoo)
        code, answer, _ = call(capsys, "publish", "--all", *at)
        assert code == 0 and set(states(answer).values()) == {"out before"} and moves(zoo) == before

        # Private: with a token only.
        pull = ("pull", "pear:Q8_0", *at)
        assert call(capsys, *pull, "--to", "with")[0] == 0 and call(capsys, "watch", "--no-upstream", *at)[0] == 0
        with monkeypatch.context() as nobody:
            nobody.delenv("HF_TOKEN")
            code, _, err = call(capsys, *pull, "--to", "without")
            assert code == 1 and "HF_TOKEN" in err and not (zoo / "without").exists(), err
        change(zoo, "pear", publish={"model": "pear-gguf", "access": "public"})
        assert call(capsys, "publish", "pear", *at)[0] == 0
        assert "tiny/pear-gguf" in items(address, zoo) and hub.repo("model", "tiny", "pear-gguf").access() == "public"

        # Withdrawn after minutes: nothing is deleted, and it is said why.
        code, _, err = call(capsys, "yank", "plum@1.0.0", "--reason", "It was a mistake.", *at)
        assert code == 0 and "even if it was published only minutes ago" in err
        assert items(address, zoo)["tiny/plum-gguf"].startswith("Version 1.0.0 was withdrawn: It was a mistake. ")
        assert call(capsys, "pull", "plum:Q8_0", *at)[0] == 3
        assert call(capsys, "watch", "--no-upstream", *at)[0] == 0
