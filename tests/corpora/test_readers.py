"""Folders of records as others read them: ``datasets`` and ``mlcroissant``, in an environment of their own.

Both are large (130 MB to fetch), so ``make installs`` runs this. The network stays shut.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpussamples import DIALECT, LABELLED, conversation, write

from zoo.corpora.croissant import FILE, Made, as_text

WHEELS = Path(sys.prefix) / "wheels"
ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "recipes/corpora/starter"
CARD = """---
license: cc0-1.0
language: [en]
pretty_name: One file of each kind
configs:
- {config_name: prompt, default: true, data_files: [{split: train, path: prompt.jsonl}]}
- {config_name: labelled, data_files: [{split: train, path: labelled.jsonl}]}
- {config_name: conversation, data_files: [{split: train, path: conversation.jsonl}]}
- {config_name: dialect, data_files: [{split: train, path: dialect.jsonl}]}
---
# One file of each kind
"""

pytestmark = pytest.mark.installs


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the two packages."""
    python = tmp_path_factory.mktemp("readers") / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parents[1]], check=True)
    wanted = re.findall(r"^READERS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[0].split()
    install = ["-m", "pip", "--python", python, "install", "-q", "--no-index", "--find-links", WHEELS, *wanted]
    subprocess.run([sys.executable, *install], check=True)
    return python


def read_by_others(reader: Path, folder: Path, cache: Path) -> Any:
    done = subprocess.run(
        [reader, Path(__file__).with_name("readers.py"), folder, cache], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def filled(value: Any) -> Any:
    """Without the nulls that a table has where a record lacks a column."""
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items() if one is not None}
    return [filled(one) for one in value] if isinstance(value, list) else value


def check(found: Any, folder: Path, files: dict[str, str]) -> None:
    """files: name by configuration and split."""
    assert (found["errors"], found["warnings"]) == ([], [])
    assert set(found["rows"]) == set(files) and len(found["records"]) >= len(files) - 1
    for name, file in files.items():
        rows = [json.loads(line) for line in (folder / file).read_text(encoding="utf-8").splitlines()]
        assert [filled(row) for row in found["rows"][name]] == [filled(row) for row in rows]
        set_ = file.removesuffix(".jsonl")
        column = next((key for key in ("user", "text_orthographic_raw", "key", "tags") if key in rows[0]), None)
        if column is None:
            # Only nested data, which has no columns.
            assert set_ not in found["records"]
        elif column != "tags":
            # mlcroissant may read the lines in another order.
            assert sorted(one[f"{set_}/{column}"] for one in found["records"][set_]) == sorted(r[column] for r in rows)
        else:
            assert len(found["records"][set_]) == len(rows)


def test_the_starter_corpus_is_read_unchanged(reader: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(STARTER, tmp_path / "starter")
    names = ("prompts.train", "prompts.heldout", "conversations.train")
    check(read_by_others(reader, folder, tmp_path / "cache"), folder, {name: f"{name}.jsonl" for name in names})


def test_every_kind_of_record_is_read_unchanged(reader: Path, tmp_path: Path) -> None:
    folder = tmp_path / "every"
    folder.mkdir()
    rows: dict[str, list[dict[str, Any]]] = {
        "prompt": [{"user": "Where is it?", "tags": ["a"]}, {"user": "Où est-ce\u00a0?"}],
        "labelled": [LABELLED, LABELLED | {"key": "f" * 16, "tags": ["lang:fr"]}],
        "conversation": [conversation()],
        "dialect": [DIALECT, DIALECT | {"record_id": "qf-2", "notes": "b"}],
    }
    for kind, records in rows.items():
        write(folder / f"{kind}.jsonl", *records)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    (folder / FILE).write_text(as_text(folder, Made("1.0.0", "2026-11-29", "https://example.org/every")), "utf-8")
    files = {f"{kind}.train": f"{kind}.jsonl" for kind in rows}
    check(read_by_others(reader, folder, tmp_path / "cache"), folder, files)
