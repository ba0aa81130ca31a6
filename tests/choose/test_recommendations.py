"""One file for every device profile: the tolerance, files that fail as chat models, and yanked versions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from sitesamples import hostile, sample
from test_picks import boards, called, contexts, device, file, release, releases

from catalog import index
from catalog.device import DEVICES, Device
from catalog.release import Loss, Model, ModelFile, Release, YankEvent
from zoo.choose.pick import TOLERANCE, Tolerance, current, dominated, pick, recommendations

MODEL, TUTOR = (dataclasses.replace(model, maturity=None) for model in sample().models)
RELEASE = MODEL.releases[0]
Captured = pytest.CaptureFixture[str]


def with_top(made: ModelFile, share: float) -> ModelFile:
    assert isinstance(made.loss, Loss)
    return dataclasses.replace(made, loss=dataclasses.replace(made.loss, same_top_share=share))


def yanked(model: Model, version: str, replacement: str | None = None, action: str = "yank") -> Model:
    event = YankEvent(version, "2026-11-24", action, "the template was wrong", "high", replacement)
    return dataclasses.replace(model, yanks=(*model.yanks, event))


def test_the_smaller_file_is_taken_where_the_loss_makes_no_difference() -> None:
    found = pick(RELEASE, device("pi-5-4gb"), 2048)
    assert found.file is not None and found.file.type == "Q8_0"
    assert found.reason.startswith(
        "model-Q8_0.gguf is the smallest file that fits, reaches reading speed (5 tokens/s), is not beaten by another "
        "file, and is so close to its source that you are unlikely to notice a difference: 96.1 % same next word, "
        "mean KLD 0.0056 ± 0.0003 nats (limits: at least 90 % same next word and a mean KLD of at most 0.0200 nats)."
    )
    assert found.runners_up[0].file.type == "F16" and "126.1 MB larger" in found.runners_up[0].reason


@pytest.mark.parametrize(
    ("kld", "top", "taken"), [(0.02, 0.9, "A"), (0.0201, 0.9, "R"), (0.02, 0.899, "R"), (0.005, 0.99, "A")]
)
def test_both_bounds_of_the_tolerance_count(kld: float, top: float, taken: str) -> None:
    files = release(file("R", 270, None), with_top(file("A", 145, kld), top))
    found = pick(files, device("pi-5-4gb"), 512)
    assert found.file is not None and found.file.type == taken
    assert ("unlikely to notice a difference" in found.reason) == (taken == "A")


def test_a_tolerance_of_ones_own_counts_alone() -> None:
    files = release(file("R", 270, None), with_top(file("A", 90, 0.08), 0.8))
    assert _taken(pick(files, device("pi-5-4gb"), 512, tolerance=Tolerance(0.1)).file) == "A"
    assert _taken(pick(files, device("pi-5-4gb"), 512, tolerance=Tolerance(0.0)).file) == "R"
    with pytest.raises(ValueError, match="nan nats is not a valid tolerance"):
        pick(files, device("pi-5-4gb"), 512, tolerance=Tolerance(float("nan")))


def _taken(found: ModelFile | None) -> str:
    return found.type if found else "none"


def test_a_file_that_fails_as_a_chat_model_is_not_taken() -> None:
    broken = dataclasses.replace(file("A", 100, 0.001), smoke_passed=False)
    found = pick(release(broken, file("B", 200, 0.05)), device("pi-5-4gb"), 512)
    assert _taken(found.file) == "B"
    assert found.rejected[0].reason == "It failed the smoke test."
    assert _taken(pick(release(broken), device("pi-5-4gb"), 512).file) == "none"


def test_one_recommendation_for_every_profile() -> None:
    found = recommendations(RELEASE)
    assert [one.device for one in found] == list(DEVICES)
    assert {one.context_tokens for one in found} == {2048}
    assert {one.device.id: _taken(one.file) for one in found if _taken(one.file) != "Q8_0"} == {"pi-zero-2": "Q4_K_M"}
    short = dataclasses.replace(
        RELEASE, architecture=dataclasses.replace(RELEASE.architecture, context_tokens=700)
    )
    assert {one.context_tokens for one in recommendations(short)} == {700}
    assert recommendations(hostile().models[0].releases[0]) == ()


def test_only_what_is_not_yanked_is_current() -> None:
    assert current(TUTOR) == TUTOR.releases[0]
    once = yanked(TUTOR, "1.1.0")
    assert current(once) == TUTOR.releases[1]
    assert current(yanked(once, "1.0.0")) is None
    assert current(yanked(once, "1.1.0", action="unyank")) == TUTOR.releases[0]


@given(releases(), boards, contexts)
def test_the_pick_is_within_the_tolerance_or_has_the_least_loss(
    entry: Release, board: Device, context: int
) -> None:
    found = pick(entry, board, context)
    if found.file is None or TOLERANCE.holds(found.file):
        return
    better = [one.file for one in found.runners_up if TOLERANCE.holds(one.file)]
    usable = [found.file, *(one.file for one in found.runners_up)]
    beaten = dominated(dataclasses.replace(entry, files=tuple(usable)))
    assert all(one.path in beaten for one in better)


# --- The command


@pytest.fixture
def a_zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(zoo_folder)
    return zoo_folder


def write(folder: Path, tutor: Model) -> None:
    (folder / "model_catalog.json").write_text(index.to_text(index.Catalog((MODEL, tutor))), encoding="utf-8")


def test_the_command_takes_a_tolerance(a_zoo: Path, capsys: Captured) -> None:
    write(a_zoo, TUTOR)
    asked = (MODEL.name, "--device", "laptop-16gb")
    assert "Recommended: model-Q8_0.gguf" in called(capsys, *asked)[1]
    assert "Recommended: model-F16.gguf" in called(capsys, *asked, "--tolerance", "0")[1]
    assert "Recommended: model-Q4_K_M.gguf" in called(capsys, *asked, "--tolerance", "0.1")[1]
    code, _, err = called(capsys, *asked, "--tolerance", "-1")
    assert code == 2 and "-1 nats is not a valid tolerance" in err


def test_a_yanked_version_is_not_recommended(a_zoo: Path, capsys: Captured) -> None:
    write(a_zoo, yanked(TUTOR, "1.1.0"))
    board = ("--device", "pi-400")
    code, out, _ = called(capsys, TUTOR.name, *board)
    assert code == 0 and out.startswith(f"{TUTOR.name} 1.0.0 on ")
    code, _, err = called(capsys, f"{TUTOR.name}@1.1.0", *board)
    assert code == 1 and "1.1.0 was yanked on 2026-11-24" in err and "the template was wrong" in err
    assert f"Ask for {TUTOR.name}@1.0.0" in err
    write(a_zoo, yanked(yanked(TUTOR, "1.1.0"), "1.0.0"))
    code, _, err = called(capsys, TUTOR.name, *board)
    assert code == 1 and "No version of it is left" in err
