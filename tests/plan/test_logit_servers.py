"""What a plan says of a teacher whose log-probabilities come from a server or from vLLM, before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recipeplans import made, put
from recipeplans import tutored as tutored
from standinvllm import make

from catalog.recipe import Recipe
from zoo.errors import ZooError
from zoo.plan import costs, preflight, world
from zoo.plan.preflight import Build
from zoo.progress import Silent
from zoo.settings import Settings, load
from zoo.stages.table import STAGES, Load

ASKED = {"source": "server:parrot-1b", "sha256": None, "engine": "sglang"}


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def settings(folder: Path, **environment: str) -> Settings:
    (folder / "zoo.toml").touch()
    return load(folder, {}, environment)


def faults(recipe: Recipe, settings: Settings, tools: dict[str, str], **changes: Any) -> tuple[str, list[str]]:
    """What stops the training, and warnings."""
    heard, build = Heard(), Build(recipe, made(recipe), ["distill"], tools)
    try:
        preflight.check(build, costs.Costs(1, 0, 0, 0, (), **changes), settings, heard)
    except ZooError as error:
        return str(error), heard.warnings
    return "", heard.warnings


def test_what_a_server_sends_is_counted(tutored: Recipe) -> None:
    recipe = put(tutored, teacher=ASKED, distill={"top_k": 64, "row_tokens": 256})
    plan_, work = made(recipe), STAGES["distill"].work
    cost = costs.estimate(recipe, plan_, [step.id for step in plan_.steps], 1_000, {})
    # 75 bytes for each of 65 tokens.
    assert cost.server_bytes == 4_875 * 256 * 1_000 and work
    words = work(Load(recipe, 1, 1, 1_000))
    assert words.startswith(
        "ask a server for 64 log-probabilities at each of at most 256,000 tokens: up to 1.25 GB over the network; then "
        "train"
    ), words
    assert costs.estimate(recipe, plan_, ["export"], 1_000, {}).server_bytes == 0
    assert costs.estimate(tutored, made(tutored), ["distill"], 1_000, {}).server_bytes == 0
    assert work(Load(tutored, 1, 1, 1_000)).startswith("train")


def test_much_data_from_a_server_is_warned_of(tutored: Recipe, tmp_path: Path) -> None:
    recipe = put(tutored, teacher=ASKED)
    said, warnings = faults(recipe, settings(tmp_path), {}, server_bytes=50_000_000_000)
    assert "no setting says where that is: export ZOO_TEACHER=" in said
    assert any("50.00 GB of log-probabilities" in words and "meant for trials" in words for words in warnings), warnings
    assert not faults(recipe, settings(tmp_path), {}, server_bytes=5_000_000_000)[1]


def test_vllm_is_found_in_its_environment_without_running_it(tutored: Recipe, tmp_path: Path) -> None:
    recipe = put(tutored, teacher={"engine": "vllm"})
    without = settings(tmp_path)
    assert "vllm" not in world.look(recipe, without).tools
    said, _ = faults(recipe, without, {})
    assert "vLLM is not installed, or the setting vllm does not name its environment" in said
    assert "VLLM/bin/pip install vllm && export ZOO_VLLM=$PWD/VLLM" in said
    make(tmp_path / "there", {})
    there = settings(tmp_path, ZOO_VLLM=str(tmp_path / "there"))
    tools = world.look(recipe, there).tools
    assert tools["vllm"] == "0.32.0"
    assert "vLLM" not in faults(recipe, there, dict(tools))[0]
