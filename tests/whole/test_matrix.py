"""The portability matrix: its cells cover every pair of settings, a refusal is counted, a finished cell is kept."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

matrix = pytest.importorskip("benchmarks.matrix")
machines = pytest.importorskip("benchmarks.machines")

TORCH, LLAMA = ("default", "avx2", "avx512"), ("native", "avx2", "sse42")


def test_every_pair_of_two_settings_is_met() -> None:
    found = [c for c in matrix.cells(TORCH, LLAMA) if c.recipe == matrix.TRAINED]
    for one, other in itertools.combinations(("torch", "llama", "threads"), 2):
        pairs = {(getattr(cell, one), getattr(cell, other)) for cell in found}
        values = [{getattr(cell, name) for cell in found} for name in (one, other)]
        assert pairs == set(itertools.product(*values)), (one, other)
    assert {(c.torch, c.seed) for c in found} == set(itertools.product(TORCH, matrix.SEEDS))


def test_the_recipe_without_training_meets_every_build_and_thread_count() -> None:
    found = [c for c in matrix.cells(TORCH, LLAMA) if c.recipe == matrix.PLAIN]
    assert {(c.llama, c.threads) for c in found} == set(itertools.product(LLAMA, matrix.THREADS))
    assert {c.torch for c in found} == set(TORCH)


def test_names_of_cells_are_unique() -> None:
    names = [cell.id for cell in matrix.cells(TORCH, LLAMA)]
    assert len(set(names)) == len(names) >= 21


def test_a_torch_level_is_what_torch_then_uses() -> None:
    for level in machines.torch_levels():
        said = matrix.commands.output(
            [matrix.sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"],
            environment={**matrix.commands.ENVIRONMENT, **level.environment},
        )
        assert said.strip().lower() in (level.name, "no avx", "vsx", "neon") or level.name == "native"


@pytest.mark.parametrize("llama", LLAMA)
def test_a_cell_changes_the_seed_and_what_no_gate_reads(llama: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    before = {
        "name": "x", "distill": {"steps": 5, "seed": 7}, "benchmark": {"samples": 9}, "evaluate": {"windows": 8},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(before), encoding="utf-8")
    matrix._edit(path, matrix.Cell("x", "default", llama, 1, 3))
    after = yaml.safe_load(path.read_text(encoding="utf-8"))
    changed = {"distill": {"steps": 5, "seed": 10}, "benchmark": matrix.BENCHMARK, "probes": []}
    windows = {"evaluate": {"windows": matrix.SLOW_WINDOWS}} if llama == matrix.SLOW_BUILD else {}
    assert after == {**before, **changed, **windows}


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """``zoo`` is a command that refuses one recipe's cells; the calls that reached it."""
    calls: list[list[str]] = []

    def ran(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        bad = matrix.TRAINED in command
        return subprocess.CompletedProcess(
            command, 3 if bad else 0, "", "smollm2 is refused\n" if bad else ""
        )

    def begun(command: list[str], **_: Any) -> str:
        folder = Path(command[-1]) / "recipes"
        folder.mkdir(parents=True)
        for name in (matrix.PLAIN, matrix.TRAINED):
            text = yaml.safe_dump({"name": name, "distill": {}})
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return ""

    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    monkeypatch.setattr(matrix.subprocess, "run", ran)
    monkeypatch.setattr(matrix.commands, "output", begun)
    monkeypatch.setattr(matrix.commands, "find", lambda name: name)
    monkeypatch.setattr(machines, "compiled", lambda *_: None)
    return calls


def outcome(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any]]:
    code = matrix.main([*words, "--no-debian"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("made_up")
def test_a_refused_cell_is_counted_and_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = outcome(capsys, "--cells", "native-2t")
    assert code == 3
    refused = [cell for cell in found["cells"] if cell["exit_code"]]
    assert found["refused"] == len(refused) > 0
    assert all(cell["said"] == ["smollm2 is refused"] for cell in refused)
    assert found["cells_run"] < found["cells_in_all"]


def test_a_finished_cell_is_kept_until_the_program_changes(
    made_up: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--cells", f"{matrix.PLAIN}-torch-default")
    code, first = outcome(capsys, *words)
    count = len(made_up)
    assert (code, count > 0) == (0, True)
    _, second = outcome(capsys, *words)
    assert (len(made_up), second["cells"]) == (count, first["cells"])
    monkeypatch.setattr(matrix, "program_sha256", lambda: "another")
    _, older = outcome(capsys, *words, "--older")
    assert (len(made_up), older["cells"]) == (count, first["cells"]), "and each says which program ran it"
    outcome(capsys, *words)
    assert len(made_up) == 2 * count


def test_the_digest_of_the_program_sees_a_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "recipes").mkdir()
    (tmp_path / "constraints.txt").write_text("", encoding="utf-8")
    (tmp_path / "recipes" / "a.yaml").write_text("a", encoding="utf-8")
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    first = matrix.program_sha256()
    (tmp_path / "recipes" / "a.yaml").write_text("b", encoding="utf-8")
    assert matrix.program_sha256() != first


def test_a_seed_is_never_the_one_that_the_recipe_has_anyway(tmp_path: Path) -> None:
    path, found = tmp_path / "r.yaml", set()
    for seed in matrix.SEEDS:
        path.write_text(yaml.safe_dump({"name": "x", "distill": {}, "evaluate": {"windows": 8}}), encoding="utf-8")
        matrix._edit(path, matrix.Cell("x", "default", "native", 1, seed))
        found.add(yaml.safe_load(path.read_text(encoding="utf-8"))["distill"].get("seed", 1))
    assert len(found) == len(matrix.SEEDS)
