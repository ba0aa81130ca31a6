"""Writing whole or not at all, the CSV, and which modules the package may import."""

from __future__ import annotations

import ast
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import pi_runtime
from pi_runtime import report
from pi_runtime.bench import check_file, prompt_ids
from pi_runtime.cores import cores
from pi_runtime.settings import CouldNot, InvalidArguments, Settings

PACKAGE = Path(pi_runtime.__file__).parent


def small_report() -> dict[str, Any]:
    values = {"median": 2.0, "lower_quartile": 1.0, "upper_quartile": 3.0}
    return {
        "measured_at_utc": "2026-11-22T13:34:00Z",
        "valid": False,
        "reasons": ["only 2 of the 5 required samples"],
        "file": {"name": "tiny model.Q4_0.gguf", "sha256": "00" * 32},
        "device": {"label": "Pi 5, 8 GB", "board_model": None, "cpu_model": None, "machine": None},
        "settings": {"threads": 2, "prompt_tokens": 4, "decode_tokens": 2},
        "summary": {
            "load_seconds": 0.5,
            "prompt_tokens_per_second": values,
            "decode_tokens_per_second": {**values, "lower_quartile": None},
            "time_to_first_token_seconds": values,
            "peak_memory_bytes": None,
        },
        "samples": [{"number": n, "prompt_seconds": 0.1 * n, "throttled_flags": None} for n in (1, 2)],
    }


def test_json_and_csv_are_written_together(tmp_path: Path) -> None:
    paths = report.write(small_report(), tmp_path)
    stem = "tiny-model.Q4_0--Pi-5-8-GB--20261122T133400Z"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}.csv", f"{stem}.json"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert json.loads((tmp_path / f"{stem}.json").read_text()) == small_report()


def test_csv_has_one_row_for_each_sample_and_empty_cells_for_null() -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv(small_report()))))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert {row["file_name"] for row in rows} == {"tiny model.Q4_0.gguf"}
    assert {row["throttled_flags"] for row in rows} == {""}
    assert {row["valid"] for row in rows} == {"false"}


def test_summary_tells_why_a_run_is_not_valid() -> None:
    text = report.to_summary(small_report())
    assert "NOT VALID" in text and "2 of the 5 required samples" in text and "not known" in text


def test_infinity_and_nan_are_refused() -> None:
    for bad in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="JSON compliant"):
            report.to_json({"value": bad})


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    (tmp_path / "old.json").write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(CouldNot, match="No space left"):
        report.write(small_report(), tmp_path)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


def test_an_interrupted_write_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        report.write(small_report(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_reported_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CouldNot, match="cannot be written"):
        report.check_folder(tmp_path / "file" / "below")


def test_only_the_standard_library_and_the_ctypes_module_are_imported() -> None:
    allowed = sys.stdlib_module_names | {"pi_runtime"}
    for file in sorted(PACKAGE.glob("**/*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file.name}: relative import"
                names = [node.module or ""]
            for name in names:
                if name == "llama_cpp.llama_cpp":
                    assert file.name == "llama.py"
                else:
                    assert name.split(".")[0] in allowed, f"{file.name} imports {name}"


@pytest.mark.parametrize(
    "wrong",
    [
        Settings(prompt_tokens=0),
        Settings(decode_tokens=0),
        Settings(samples=0),
        Settings(threads=0),
        Settings(threads=cores().logical + 1),
        Settings(prompt_tokens=100, decode_tokens=10, context_tokens=109),
        Settings(device_label=""),
        Settings(device_label="two\nlines"),
    ],
)
def test_senseless_requests_are_refused(wrong: Settings) -> None:
    with pytest.raises(InvalidArguments) as caught:
        wrong.check()
    assert caught.value.exit_code == 2


def test_prompt_ids_are_the_same_everywhere() -> None:
    assert prompt_ids(3, 49152) == [34430, 48816, 33252]
    assert prompt_ids(5, 49152)[:3] == prompt_ids(3, 49152)
    assert all(0 <= token < 7 for token in prompt_ids(1000, 7))


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.gguf", b"", "not a GGUF file"),
        ("cut.gguf", b"GGUF\x03", "not a GGUF file"),
        ("text.gguf", b"<!doctype html>", "not a GGUF file"),
        ("pointer.gguf", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("big-00001-of-00003.gguf", b"GGUF\x03\0\0\0", "split model"),
    ],
)
def test_what_is_plainly_no_model_is_refused_before_loading(
    tmp_path: Path, name: str, content: bytes, word: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CouldNot, match=word):
        check_file(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CouldNot, match="cannot be read"):
        check_file(tmp_path / "absent.gguf")
    with pytest.raises(CouldNot, match="not a regular file"):
        check_file(tmp_path)
