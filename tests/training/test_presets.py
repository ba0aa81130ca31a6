"""Every adapter with every preset: trained, merged, written and read again, and better than before."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tinymodel import make_tiny_llama

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from test_training_loop import SPEC, run  # noqa: E402 - after the skip

from catalog import presets, schema, yamltext  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.adapters import (  # noqa: E402 - after the skip
    PRESETS,
    apply_adapter,
    load_trainable,
    merge,
    preset_named,
)
from zoo.training.models import load_model  # noqa: E402 - after the skip

COMBINATIONS = [
    ("none", "cpu-small"), ("lora", "cpu-small"), ("dora", "cpu-small"), ("lora", "ampere-balanced"),
    ("qlora", "ampere-balanced"), ("qlora", "turing-safe"), ("qlora", "ada-memory"), ("qlora", "ada-memory-nf4"),
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with one of the teacher's two layers."""
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_llama(folder / "student", layers=1)
    make_tiny_llama(folder / "teacher", layers=2)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_preset_is_tried_and_can_be_written_in_a_recipe() -> None:
    assert {preset for _, preset in COMBINATIONS} == PRESETS.keys()
    text = Path(schema.__file__).with_name("schemas").joinpath("recipe-v1.schema.json").read_text(encoding="utf-8")
    assert set(json.loads(text)["properties"]["distill"]["properties"]["preset"]["enum"]) == PRESETS.keys()


@pytest.mark.parametrize(
    ("adapter", "preset", "count"),
    [("qlora", "ada-memory", 1), ("qlora", "ada-memory-nf4", 0), ("lora", "ada-memory", 0), ("none", "cpu-small", 0)],
)
def test_a_preset_that_another_one_beats_is_named(adapter: str, preset: str, count: int) -> None:
    document = yamltext.parse(f"distill:\n  adapter: {adapter}\n  preset: {preset}\n".encode(), "recipe.yaml")
    found = list(presets.hints(document))
    assert len(found) == count
    assert all(hint.line == 3 and "ada-memory-nf4" in str(hint) for hint in found)


@pytest.mark.long
@pytest.mark.filterwarnings("error:.*autograd kernel was not registered.*:UserWarning")
@pytest.mark.parametrize(("adapter", "preset"), COMBINATIONS)
def test_a_training_with_each_combination_ends_better_than_it_began(home: Path, adapter: str, preset: str) -> None:
    spec = dataclasses.replace(SPEC, adapter=adapter, preset=preset, learning_rate=5e-3, steps=20)
    done = run(home, f"{adapter}-{preset}", spec, Silent())
    before, after = done.heldout_before, done.heldout_after
    print(f"{adapter} {preset}: {before.kld_mean_nats:.3f} -> {after.kld_mean_nats:.3f} nats")
    print(done.merges or "")
    # Further apart than the errors of both means may be.
    assert after.kld_mean_nats < 0.9 * before.kld_mean_nats


@pytest.mark.parametrize(("adapter", "preset"), COMBINATIONS[1:])
def test_a_merged_model_answers_as_the_adapter_on_the_float_weights(home: Path, adapter: str, preset: str) -> None:
    chosen, student = preset_named(preset), home / "student"
    trained = load_trainable(student, adapter, chosen, getattr(torch, chosen.compute), "cpu")
    torch.manual_seed(3)
    values = {name: value for name, value in trained.named_parameters() if "lora_" in name}
    for name, value in values.items():
        # The half that begins as zero.
        torch.nn.init.normal_(value, std=0.02 if "lora_B" in name else 0.1)
    beside = apply_adapter(load_model(student, torch.float32, "cpu"), adapter, chosen).eval()
    for name, value in beside.named_parameters():
        if "lora_" in name:
            value.data.copy_(values[name])
    merged = merge(trained, load_model(student, torch.float32, "cpu"), adapter, chosen).eval()
    ids = torch.arange(3, 67)[None]
    with torch.no_grad():
        plain = load_model(student, torch.float32, "cpu").eval()(ids).logits
        one, other = beside(ids).logits, merged(ids).logits
    assert (one - plain).abs().max() > 0.01, "the adapter changes the answers"
    assert (one - other).abs().max() <= 1e-4
