"""A published version on a machine without its release folder, as after a fresh checkout: the catalog decides."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from releasedzoo import call, change, repo
from releasedzoo import released as released
from releasedzoo import served as served
from releasedzoo import zoo as zoo
from tinymodel import make_tiny_llama

pytest.importorskip("llama_cpp")


@pytest.fixture(params=["folder", "http"])
def fresh(request: pytest.FixtureRequest, zoo: Path) -> Path:
    """The zoo without its release folders; the hub has everything."""
    if request.param == "http":
        request.getfixturevalue("served")
    shutil.rmtree(zoo / "build/releases")
    for other in (zoo / "recipes").glob("*.yaml"):
        if other.stem != "plain":
            other.unlink()
    return zoo


@pytest.mark.parametrize("command", ["release", "publish"])
def test_an_unchanged_recipe_was_released_before(
    command: str, fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = (fresh / "model_catalog.json").read_bytes()
    code, out, err = call(capsys, command, "plain")
    assert code == 0 and "plain 1.0.0 was released before: model tiny/plain-gguf at" in out, err
    assert "different bytes" not in err and not (fresh / "build/releases/plain").exists()
    code, out, err = call(capsys, command, "--all")
    assert code == 0 and "out before" in out and "0 released, 0 failed" in out, err
    assert (fresh / "model_catalog.json").read_bytes() == catalog


def test_a_changed_recipe_is_refused_once(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(fresh, summary="Other words for the same version.")
    for command in ("release", "publish"):
        code, _, err = call(capsys, command, "plain")
        assert code == 1 and "is already released from a different recipe" in err
    code, out, err = call(capsys, "release", "--all")
    assert code == 1 and "0 released, 1 failed" in out
    assert (out + err).count("published versions never change") == 1


def test_a_lost_tag_is_not_called_released(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo(fresh).folder / "refs/tags/v1.0.0").unlink()
    for command in ("release", "publish"):
        code, out, err = call(capsys, command, "plain")
        assert code == 1 and "tag v1.0.0 of model tiny/plain-gguf" in err and "is lost" in err, out + err
        assert "zoo publish plain --repair" in err and "this machine has no copy" in err


def test_a_lost_tag_is_set_again_with_what_else_was_lost(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(zoo, summary="Words that a reader understands.")
    assert call(capsys, "card", "plain", "--publish")[0] == 0  # so the branch is not the release any more
    oid, log = repo(zoo).refs().tags["v1.0.0"], (repo(zoo).folder / "refs.log").read_text(encoding="utf-8")
    lost = object_of(zoo, "plain-Q8_0.gguf")
    (repo(zoo).folder / "refs/tags/v1.0.0").unlink()
    lost.unlink()
    code, _, err = call(capsys, "publish", "plain")
    assert code == 0 and "has the recorded commit but lost its tag, which is set again" in err, err
    assert "had lost the content of plain-Q8_0.gguf; it is sent again" in err and "publishing to" not in err
    assert lost.is_file() and repo(zoo).refs().tags["v1.0.0"] == oid
    assert (repo(zoo).folder / "refs.log").read_text(encoding="utf-8").removeprefix(log).count("\n") == 1, "only a tag"


def object_of(zoo: Path, path: str) -> Path:
    sha256 = repo(zoo).tree(repo(zoo).refs().tags["v1.0.0"])[path].sha256
    return zoo / "build/hub/objects" / sha256[:2] / sha256


def test_another_place_is_named(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "release", "plain", "--namespace", "other")
    assert code == 1 and "already published at another place: tiny/plain-gguf" in err
    change(fresh, publish={"model": "plain-gguf", "access": "private"})
    code, _, err = call(capsys, "release", "plain")
    assert code == 1 and "who may read it can only be changed where its release folder is" in err


def test_all_notices_a_lost_folder_hub(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(zoo / "build/hub")
    code, out, err = call(capsys, "watch", "--no-upstream")
    assert code == 1 and "restore it with: zoo publish plain --repair" in out + err
    copies = zoo / "build/releases"
    copies.rename(zoo / "copies")
    for command in ("publish", "release"):
        code, out, err = call(capsys, command, "--all")
        assert code == 1 and "is lost" in err and "out before" not in out
    (zoo / "copies").rename(copies)
    code, out, err = call(capsys, "publish", "--all")
    assert code == 0 and "They are restored" in err and "out before" not in out, out + err
    assert "v1.0.0" in repo(zoo).refs().tags
    code, out, err = call(capsys, "publish", "--all")
    assert code == 0 and "out before" in out


@pytest.fixture
def worked(released: Path, zoo: Path) -> Path:
    """The zoo with its finished steps, which a build then finds."""
    shutil.copytree(released / "build/work", zoo / "build/work", symlinks=True)
    return zoo


def test_a_build_says_whether_it_can_be_published(worked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "build", "plain")
    assert code == 0 and "which is plain 1.0.0 as it is published" in err and "publish it with" not in err
    change(worked, summary="Other words for the same version.")
    code, _, err = call(capsys, "build", "plain")
    assert code == 0 and "It cannot be published: plain 1.0.0 is published already, and its recipe differs" in err
    assert "raise the version in" in err and "publish it with" not in err
    change(worked, version="1.0.1")
    code, _, err = call(capsys, "build", "plain")
    assert code == 0 and "publish it with: zoo publish plain" in err


def test_a_part_of_the_published_files_is_no_kept_copy(worked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a pull fetched is in the place of the release folder."""
    folder = worked / "build/releases/plain/1.0.0"
    shutil.rmtree(folder)
    assert call(capsys, "pull", "plain@1.0.0:Q8_0", "--to", str(folder / "model"))[0] == 0
    change(worked, summary="Other words for the same version.")
    code, _, err = call(capsys, "build", "plain")
    assert code == 0 and "its published files are kept" not in err, err


def test_check_names_a_text_and_a_source_that_changed(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "check", "recipes/plain.yaml")[0] == 0
    text = zoo / "texts/words.txt"
    text.write_text(text.read_text(encoding="utf-8") + "And one more sentence, which is new.\n", encoding="utf-8")
    code, out, err = call(capsys, "check", "recipes/plain.yaml")
    assert code == 0 and "1.0.0 is published, and texts/words.txt has changed since. Raise the version" in out + err
    make_tiny_llama(zoo / "models/teacher", layers=2, seed=5)
    code, out, err = call(capsys, "check", "recipes/plain.yaml")
    assert code == 2 and 'student.source: "file:models/teacher" is not the one that is pinned' in out + err
    assert "delete its `sha256:`, run `zoo lock recipes/plain.yaml`" in out + err
    recipe = zoo / "recipes/plain.yaml"
    lines = [line for line in recipe.read_text(encoding="utf-8").splitlines() if "sha256:" not in line]
    recipe.write_text("\n".join(lines), encoding="utf-8")
    assert call(capsys, "lock", "plain")[0] == 0
    code, out, err = call(capsys, "check", "recipes/plain.yaml")
    assert code == 0 and '1.0.0 is published, from another student than this "file:models/teacher"' in out + err
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("1.0.0", "1.0.1"), encoding="utf-8")
    code, out, err = call(capsys, "check", "recipes/plain.yaml")
    assert code == 0 and "is published" not in out + err
