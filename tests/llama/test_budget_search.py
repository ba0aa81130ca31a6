"""Sensitivities and the search of a byte budget on tiny random models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError, ZooError
from zoo.files.listing import records
from zoo.gguf.header import read_header
from zoo.llama.measure.lockstep import compare_window
from zoo.llama.measure.windows import Text
from zoo.llama.model import Model
from zoo.llama.quantize.mix import Content, write_mix
from zoo.llama.search import sensitivity
from zoo.llama.search.sensitivity import Journal, groups_of, mean
from zoo.llama.search.tensors import Tensors
from zoo.llama.search.trials import Trials
from zoo.progress import Silent
from zoo.stages import Context
from zoo.stages import budget as budget_stage
from zoo.stages import sensitivity as sensitivity_stage
from zoo.stages.artifact import Artifact

pytest.importorskip("llama_cpp")

TEXTS = [Text("one", "en", "the cat is on the mat and " * 60), Text("two", "fr-CA", "le chat est là " * 60)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf")


@pytest.fixture
def trials(path: Path, tmp_path: Path) -> Iterator[Trials]:
    tensors = Tensors.of(path, None)
    with Trials.open(tensors, TEXTS, tmp_path, window_tokens=64, windows=4, threads=2) as opened:
        yield opened


def test_a_trial_is_what_the_real_file_measures(trials: Trials, tmp_path: Path) -> None:
    mix = {"token_embd.weight": "Q8_0", "blk.0.ffn_up.weight": "Q4_0", "blk.1.attn_q.weight": "Q4_K"}
    nothing, found, again = trials.measure([{}, mix, mix])
    assert mean(nothing) == 0
    assert found == again
    target = tmp_path / "mix.gguf"
    write_mix(trials.tensors.path, target, Content(mix), cache_folder=None, threads=1)
    with Model.open(target, threads=1, context_tokens=64) as model:
        real = [
            compare_window(model, window, expected).kld_nats.mean()
            for window, expected in zip(trials.windows, trials.expected, strict=True)
        ]
    # The real file also rounds activations; the trial shows the weights alone.
    assert found == pytest.approx(real, rel=0.3)
    assert mean(found) > 1e-4


def test_workers_come_back_to_the_original(trials: Trials) -> None:
    name = "blk.0.attn_v.weight"
    for _ in range(2):
        lossy, clean = trials.measure([{name: "Q2_K"}, {}])
        assert mean(lossy) > 0
        assert mean(clean) == 0


def test_windows_take_the_texts_in_turn(trials: Trials) -> None:
    assert [window.language for window in trials.windows] == ["en", "fr-CA", "en", "fr-CA"]
    assert all(len(window.targets) == 64 - 8 - 1 for window in trials.windows)


def test_sensitivities_are_measured_alone_and_scaled_to_other_types(trials: Trials, tmp_path: Path) -> None:
    groups = groups_of(trials.tensors)
    with Journal.open(tmp_path / "journal") as journal:
        found = sensitivity.measure(trials, groups, journal, Silent())
    assert set(found) == set(trials.tensors.matrices)
    group = found["blk.0.ffn_up.weight"]
    assert mean(group["kld_nats_by_window"]["Q4_0"]) > 0
    real = {t: mean(trials.measure([{"blk.0.ffn_up.weight": t}])[0][:2]) for t in ("Q8_0", "Q5_0", "Q2_K")}
    for type_name, kld in real.items():
        assert sensitivity.predicted(group, type_name) == pytest.approx(kld, rel=0.6)
    assert group["size_bytes"]["Q8_0"] == trials.tensors.matrices["blk.0.ffn_up.weight"].bytes_as("Q8_0")


def test_a_journal_continues_after_a_torn_line(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    with Journal.open(place) as journal:
        journal.add("a", [1.5])
        journal.add("error b", 2)
    place.write_bytes(place.read_bytes() + b'["c", [3')
    with Journal.open(place) as journal:
        assert (journal.kld, journal.errors) == ({"a": [1.5]}, {"error b": 2})
        journal.add("error c", 4)
    with Journal.open(place) as journal:
        assert (journal.kld, journal.errors) == ({"a": [1.5]}, {"error b": 2, "error c": 4})


def test_what_the_journal_knows_is_not_measured_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = _contexts(path, tmp_path, {"bytes": 10**9})
    sensitivity_stage.run(contexts[0])
    first = json.loads((contexts[0].out / "sensitivity.json").read_text())
    monkeypatch.setattr(Trials, "_trial", lambda *_: pytest.fail("a trial was run again"))
    sensitivity_stage.run(contexts[0])
    assert json.loads((contexts[0].out / "sensitivity.json").read_text()) == first


def _contexts(path: Path, folder: Path, limit: dict[str, Any], label: str = "B1MB") -> tuple[Context, Context]:
    """Contexts of the two stages; the first must have run before the second is used."""
    texts = folder / "texts"
    texts.mkdir()
    for text in TEXTS:
        (texts / text.name).write_text(text.content, encoding="utf-8")
    files = [{"path": t.name, "name": t.name, "language": t.language, "sha256": "0" * 64} for t in TEXTS]
    spec = {"window_tokens": 64, "windows": 4}
    inputs = {
        "model": Artifact("export", "m", path.parent, records(path.parent), {}),
        "texts": Artifact("corpus", "t", texts, records(texts), {"calibration": files}),
    }

    def context(name: str, own: dict[str, Any], more: dict[str, Artifact]) -> Context:
        out, scratch = folder / name / "out", folder / name / "scratch"
        out.mkdir(parents=True)
        scratch.mkdir()
        return Context({**spec, **own}, {**inputs, **more}, out, scratch, folder, folder, 2, "cpu", Silent())

    first = context("sensitivity", {}, {})
    measured = Artifact("sensitivity", "s", first.out, (), {})
    object.__setattr__(measured, "path", lambda name: first.out / name)
    return first, context("budget", {"label": label, "limit": limit}, {"sensitivity": measured})


def test_the_file_keeps_the_budget_and_loses_less_than_a_plain_one(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "q4.gguf"
    tensors = Tensors.of(path, None)
    write_mix(path, plain, Content(dict.fromkeys(tensors.matrices, "Q4_0")), cache_folder=None, threads=1)
    limit = int(plain.stat().st_size * 1.1) + budget_stage.HEADER_BYTES
    contexts = _contexts(path, tmp_path, {"bytes": limit})
    sensitivity_stage.run(contexts[0])
    facts = budget_stage.run(contexts[1])
    target = contexts[1].out / "model.gguf"
    assert target.stat().st_size <= limit
    report = facts["quantize"]["budget"]
    types = {t.name: t.type_name for t in read_header(target).tensors if t.name in report["types"]}
    assert types == report["types"]
    assert len(set(types.values())) > 1
    measured = {entry["name"]: entry for entry in report["contenders"]}
    assert report["weights_only_kld_nats"] <= measured["Q4_0"]["measured_kld_nats"]
    assert report["weights_only_kld_nats"] == min(
        entry["measured_kld_nats"] for entry in [*measured.values(), *report["swaps"]] if entry.get("taken", True)
    )
    assert report["predicted_kld_nats"] > 0
    assert np.isclose(report["measured_kld_nats"], report["weights_only_kld_nats"], rtol=0.5)
    again = budget_stage.run(contexts[1])
    assert again == facts


def test_a_budget_that_nothing_meets_says_by_how_much(path: Path, tmp_path: Path) -> None:
    contexts = _contexts(path, tmp_path, {"bytes": 50_000})
    sensitivity_stage.run(contexts[0])
    with pytest.raises(ModelFileError, match=r"smallest file .* has [\d,]+ bytes, [\d,]+ more than the 50,000"):
        budget_stage.run(contexts[1])
    assert not list(contexts[1].out.iterdir())


def test_a_text_shorter_than_a_window_is_refused(path: Path, tmp_path: Path) -> None:
    short = [Text("tiny", "en", "hello")]
    with (
        pytest.raises(InputError, match="tiny has"),
        Trials.open(Tensors.of(path, None), short, tmp_path, window_tokens=64, windows=1, threads=1),
    ):
        pass
    assert not list(tmp_path.glob("copy-*"))


def test_a_quantized_model_is_refused(path: Path, tmp_path: Path) -> None:
    quantized = tmp_path / "q8.gguf"
    write_mix(path, quantized, Content({"token_embd.weight": "Q8_0"}), cache_folder=None, threads=1)
    with pytest.raises(ModelFileError, match="already quantized"):
        Tensors.of(quantized, None)


def test_a_full_disk_is_an_error_that_says_what_is_needed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with (
        pytest.raises(ZooError, match="the disk is full: a search needs about"),
        Trials.open(Tensors.of(path, None), TEXTS, tmp_path, window_tokens=64, windows=2, threads=2),
    ):
        pass
    assert not list(tmp_path.glob("copy-*"))


def test_many_layers_share_groups() -> None:
    names = [f"blk.{layer}.{kind}.weight" for layer in range(100) for kind in ("a", "b", "c")] + ["output.weight"]
    merged = sensitivity._merged(names, 2)
    assert len(merged) == 151
    assert merged["blk.98-99.b.weight"] == ["blk.98.b.weight", "blk.99.b.weight"]
    assert sorted(name for own in merged.values() for name in own) == sorted(names)
