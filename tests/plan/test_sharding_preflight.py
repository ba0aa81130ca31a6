"""What does not fit the settings sharding, processes and device is named before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from recipeplans import made, put
from recipeplans import tutored as tutored

from catalog import sharding
from catalog.recipe import Recipe
from zoo.errors import ZooError
from zoo.plan import preflight
from zoo.plan.costs import Costs
from zoo.plan.engine import run_step
from zoo.plan.preflight import Build
from zoo.progress import Silent
from zoo.settings import load
from zoo.stages.table import TRAINING_TOOLS


@pytest.mark.parametrize(
    ("adapter", "environment", "named"),
    [
        ("qlora", {"ZOO_PROCESSES": "2", "ZOO_SHARDING": "full"}, True),
        ("qlora", {"ZOO_PROCESSES": "2"}, False),
        ("qlora", {"ZOO_SHARDING": "full"}, False),
        ("lora", {"ZOO_PROCESSES": "2", "ZOO_SHARDING": "full"}, False),
    ],
)
def test_weights_of_4_bits_in_shares(
    adapter: str, environment: dict[str, str], named: bool, tutored: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "zoo.toml").touch()
    recipe = put(tutored, distill={"adapter": adapter})
    build = Build(recipe, made(recipe), ["distill"], {})
    with pytest.raises(ZooError) as caught:
        preflight.check(build, Costs(1, 0, 0, 0, ()), load(tmp_path, {}, environment), Silent())
    assert ("sharding does not fit adapter qlora: a weight in 4 bits" in str(caught.value)) == named
    assert ("training would go wrong without a message: set sharding to none, or take" in str(caught.value)) == named


class _Heard(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def test_a_preset_for_a_gpu_is_named_with_its_recipe(tutored: Recipe, tmp_path: Path) -> None:
    """Many recipes are checked together, so a warning without a name would be nobody's."""
    (tmp_path / "zoo.toml").touch()
    recipe, heard = put(tutored, distill={"adapter": "lora", "preset": "ampere-balanced"}), _Heard()
    build = Build(recipe, made(recipe), ["distill"], dict.fromkeys(TRAINING_TOOLS, "1"))
    preflight.check(build, Costs(1, 0, 0, 0, ()), load(tmp_path, {}, {}), heard)
    assert heard.warned == [
        f"preset ampere-balanced of {recipe.name} is meant for a GPU, but device is cpu. This will be very slow"
    ]


@pytest.mark.parametrize(
    ("cards", "device", "processes", "said"),
    [
        (0, "cuda", 1, "the device is cuda, but torch"),
        (0, "cuda:3", 2, "the device is cuda:3, but torch"),
        (2, "cuda:2", 1, "torch finds 2 GPUs here: name one from cuda:0 to cuda:1"),
        (2, "cuda", 3, "3 processes need a GPU each, but the device cuda has 2: lower the setting processes"),
        (2, "cuda:1", 2, "but the device cuda:1 has 1: lower the setting processes, or use --device cuda for all GPUs"),
        (2, "cuda", 2, ""), (1, "cuda:0", 1, ""), (0, "cpu", 2, ""),
    ],
)  # fmt: skip
def test_a_training_on_a_gpu_needs_one(
    cards: int, device: str, processes: int, said: str, tutored: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    (tmp_path / "zoo.toml").touch()
    settings = load(tmp_path, {}, {"ZOO_DEVICE": device, "ZOO_PROCESSES": str(processes)})
    tools = dict.fromkeys(TRAINING_TOOLS, "1")

    def faults(steps: list[str]) -> str:
        try:
            preflight.check(Build(tutored, made(tutored), steps, tools), Costs(1, 0, 0, 0, ()), settings, Silent())
        except ZooError as error:
            return str(error)
        return ""

    found = faults(["distill"])
    assert said in found and ("GPU" in found) == bool(said)
    assert "GPU" not in faults(["corpus/prompts"]), "nothing is trained"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ZOO_PROCESSES": "2", "ZOO_MACHINES": "2"}, "no setting says where the machines meet: export ZOO_MEETING="),
        ({"ZOO_MACHINES": "2", "ZOO_MEETING": "node1:29400"}, "1 process cannot be divided evenly among 2 machines"),
        ({"ZOO_PROCESSES": "3", "ZOO_MACHINES": "2"}, "3 processes cannot be divided evenly among 2 machines: change"),
        ({"ZOO_PROCESSES": "2", "ZOO_MACHINES": "2", "ZOO_MEETING": "node1:29400"}, ""),
    ],
)  # fmt: skip
def test_machines_that_cannot_train_together(
    environment: dict[str, str], said: str, tutored: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "zoo.toml").touch()
    build = Build(tutored, made(tutored), ["distill"], {})
    with pytest.raises(ZooError) as caught:
        preflight.check(build, Costs(1, 0, 0, 0, ()), load(tmp_path, {}, environment), Silent())
    assert said in str(caught.value) and ("machines" in str(caught.value)) == bool(said)


@pytest.mark.parametrize(("rows", "words"), [(1, "the 1 conversation of a step"), (3, "the 3 conversations of a step")])
def test_more_processes_than_conversations_are_counted(rows: int, words: str) -> None:
    assert sharding.crowded(4, rows) == f"4 processes cannot share {words}"


def test_a_step_names_every_input_that_is_not_finished(tutored: Recipe, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    with pytest.raises(ZooError, match=r"needs [\w/]+ and [\w/]+.*, which are not finished"):
        run_step(made(tutored), "distill", load(tmp_path, {}, {}), Silent(), lambda _: None)
