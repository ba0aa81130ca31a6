"""What of a model folder enters its pin, links included, and what the import records of the source."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from foldersamples import SMALL, edit_json, refusal, sound

from zoo.errors import ModelFileError, SourceError
from zoo.files.digests import digest
from zoo.files.listing import records
from zoo.modelfolder import record
from zoo.modelfolder.inspection import inspect
from zoo.progress import Silent
from zoo.sources.resolve import content_sha256, verify


def as_links(folder: Path, blobs: Path) -> Path:
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(blobs / str(number))
        path.symlink_to(os.path.relpath(blobs / str(number), folder))
    return folder


def test_links_inside_the_zoo_count_as_the_files(folder: Path, tmp_path: Path) -> None:
    pin = content_sha256(folder)
    as_links(folder, tmp_path / "models" / "blobs")
    assert content_sha256(folder, tmp_path) == pin
    assert inspect(folder, tmp_path).rows == 355


def test_a_snapshot_of_the_hub_clients_cache_is_read(tmp_path: Path) -> None:
    pin = content_sha256(sound(tmp_path / "plain"))
    cache = tmp_path / "elsewhere" / "models--tiny--model"
    snapshot = as_links(sound(cache / "snapshots" / ("0" * 40)), cache / "blobs")
    assert content_sha256(snapshot, tmp_path / "zoo") == pin
    # The recipe names a link in the zoo that leads to the snapshot.
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "m").symlink_to(snapshot)
    assert content_sha256(tmp_path / "zoo" / "m", tmp_path / "zoo") == pin


@pytest.mark.parametrize("place", ["outside", "other-cache"])
def test_links_that_leave_are_refused_with_the_command(place: str, tmp_path: Path) -> None:
    if place == "outside":
        folder = as_links(sound(tmp_path / "zoo" / "m"), tmp_path / "blobs")
    else:
        folder = as_links(sound(tmp_path / "models--a" / "snapshots" / "1"), tmp_path / "models--b" / "blobs")
    error = refusal(folder, tmp_path / "zoo")
    assert "a place outside the zoo's folder" in error.what and "cp -rL" in error.remedy


def test_a_link_to_nothing_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("gone.json")
    assert "config.json is a link to a missing file" in refusal(folder, tmp_path).what


def test_what_other_programs_leave_does_not_enter_the_pin(folder: Path) -> None:
    pin = content_sha256(folder)
    # As it was when every file counted: folders that hold nothing else keep their pin.
    assert pin == digest([vars(one) for one in records(folder)])
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".cache/huggingface").mkdir(parents=True)
    (folder / ".cache/huggingface/.gitignore").write_text("*", encoding="utf-8")
    (folder / "README.md").write_text("card", encoding="utf-8")
    (folder / "original").mkdir()
    (folder / "original/model.safetensors").write_bytes(b"second copy")
    assert content_sha256(folder) == pin
    (folder / "LICENSE").write_text("terms", encoding="utf-8")
    assert content_sha256(folder) != pin


def test_a_pin_of_every_file_stays_valid(folder: Path) -> None:
    (folder / "README.md").write_text("card", encoding="utf-8")
    old = digest([vars(one) for one in records(folder)])
    assert old != content_sha256(folder)
    verify(folder, old, "file:m", Silent())
    (folder / "README.md").write_text("changed", encoding="utf-8")
    with pytest.raises(SourceError, match="the recipe pins"):
        verify(folder, old, "file:m", Silent())


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "another/1"}'])
def test_a_source_json_of_another_program_is_not_read(text: str, tmp_path: Path) -> None:
    (tmp_path / record.FILE).write_text(text, encoding="utf-8")
    assert record.read(tmp_path) is None


def test_a_source_json_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    made = record.of_folder(inspect(folder))
    record.write(tmp_path, made)
    assert record.read(tmp_path) == made
    edit_json(tmp_path, record.FILE, tokenizer={"vocabulary_size": "many"})
    with pytest.raises(ModelFileError, match="not what the import writes: tokenizer") as refused:
        record.read(tmp_path)
    assert refused.value.where == record.FILE and "Delete it" in refused.value.remedy


def test_what_the_source_says_is_recorded(folder: Path, tmp_path: Path) -> None:
    edit_json(folder, "generation_config.json", eos_token_id=[2, 0])
    edit_json(
        folder,
        "tokenizer.json",
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace"}]},
    )
    record.write(tmp_path, record.of_folder(inspect(folder)))
    said = json.loads((tmp_path / "source.json").read_text(encoding="utf-8"))
    assert said["format"] == "zoo-source/1" and said["kind"] == "folder" and said["quantized"] is None
    assert said["end_tokens"] == [
        {"id": 0, "file": "generation_config.json"}, {"id": 2, "file": "config.json"},
        {"id": 2, "file": "generation_config.json"}, {"id": 2, "file": "tokenizer_config.json"},
    ]  # fmt: skip
    assert said["tokenizer"] == {
        "vocabulary_size": 355,
        "normalizers": ["NFC", "Replace"],
        "model_type": "BPE",
    }
    assert (said["context_tokens"], said["embedding_rows"], said["architecture"]) == (
        1024,
        355,
        "LlamaForCausalLM",
    )
    assert set(said["files"]) == {*SMALL, "chat_template.jinja"}
