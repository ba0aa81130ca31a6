"""A file that is compressed, an archive or a table, where text is read: what it is, and the command that unpacks it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import tinyzoo
import tunesamples

from catalog import corpusfiles, dataplaces, packed, reports
from catalog.checks import check_recipe
from catalog.problems import Problem
from zoo.corpora import stream
from zoo.corpora.check import File, check, problems
from zoo.corpora.prompts import parse_prompts
from zoo.errors import InputError

TEXT = b'{"messages": [{"role": "user", "content": "caf\xc3\xa9"}]}\n' * 20


def zipped(raw: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.jsonl", raw)
    return made.getvalue()


# zstd and Parquet have no writer in Python itself: a frame with a raw block, and the beginning and end of a table.
PACKED = {
    "gzip": gzip.compress(TEXT),
    "zstd": b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc",
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zip": zipped(TEXT),
    "Parquet": b"PAR1\x15\x04\x15\x20\x15\x24\x4c\x15\x04\x00\x00\x10\x7c\xc3\xff\x9a\x00\x00\x00PAR1",
}
TOOL = {"zip": "unzip"}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tinyzoo.make_tiny_zoo(tmp_path_factory.mktemp("packed") / "zoo")
    tunesamples.write(root)
    tunesamples.recipe(root)
    return root


CASES = [*(("tune.train", form) for form in PACKED), *((part, "gzip") for part in corpusfiles.PARTS)]


@pytest.mark.parametrize(("part", "form"), sorted(set(CASES)))
def test_a_file_of_a_recipe_is_named_with_what_unpacks_it(zoo: Path, part: str, form: str) -> None:
    recipe = tunesamples.recipe(zoo)
    checked = check_recipe(recipe, zoo).recipe
    assert checked
    path = checked.data[part][0].path
    sound = (zoo / path).read_bytes()
    try:
        (zoo / path).write_bytes(PACKED[form])
        (problem,) = check_recipe(recipe, zoo).problems
    finally:
        (zoo / path).write_bytes(sound)
    assert problem.path == f"{dataplaces.shown(part)}[0].path"
    assert form in problem.what and problem.what.endswith(", not plain text")
    assert problem.instead.startswith("Unpack it: ") and f"mv {path}.new {path}" in problem.instead


def by_prompts(path: Path) -> list[Problem]:
    return parse_prompts(path.read_bytes(), path.name)[1]


def by_reports(path: Path) -> list[Problem]:
    found = reports.read(path, path.name)
    assert isinstance(found, list)
    return found


def by_stream(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        list(stream.batches(path, path.name))
    assert caught.value.where == f"{path.name}:1"
    return [Problem(path.name, 1, 1, "", caught.value.what, caught.value.remedy)]


READERS: list[tuple[Callable[[Path], list[Problem]], tuple[str, ...]]] = [
    (by_prompts, ()),
    (by_reports, ()),
    # These read gzip and zstd.
    (by_stream, ("gzip", "zstd")),
    (lambda path: problems(path, path.name), ("gzip", "zstd")),
]


@pytest.mark.parametrize(("read", "reads"), READERS)
def test_every_reader_of_text_says_the_same(
    tmp_path: Path, read: Callable[[Path], list[Problem]], reads: tuple[str, ...]
) -> None:
    for form in PACKED.keys() - set(reads):
        path = tmp_path / "a.json"
        path.write_bytes(PACKED[form])
        assert [(one.what, one.instead) for one in read(path)] == [packed.fault(PACKED[form], "a.json")], form


def test_the_other_files_are_checked_too(tmp_path: Path) -> None:
    for name, raw in (("a.jsonl", PACKED["zip"]), ("b.jsonl", b"{}\n")):
        (tmp_path / name).write_bytes(raw)
    found = check([File(tmp_path / name, name) for name in ("a.jsonl", "b.jsonl")]).problems
    assert [one.file for one in found] == ["a.jsonl", "b.jsonl"] and "a zip archive" in found[0].what


@pytest.mark.parametrize("form", [form for form in PACKED if form != "Parquet"])
@pytest.mark.parametrize("name", ["a b.jsonl", "-n.jsonl{suffix}"])
def test_the_command_unpacks_it(tmp_path: Path, form: str, name: str) -> None:
    if not shutil.which(tool := TOOL.get(form, form)):
        pytest.skip(f"needs {tool}")
    found = packed.form_of(PACKED[form])
    assert found
    path = tmp_path / name.format(suffix=found.suffix)
    path.write_bytes(PACKED[form])
    _, instead = packed.fault(PACKED[form], path.name) or ("", "")
    subprocess.run(["bash", "-c", instead.removeprefix("Unpack it: ")], cwd=tmp_path, check=True)
    text = path.with_name(path.name.removesuffix(found.suffix)).read_bytes()
    assert text == (b"abc" if form == "zstd" else TEXT)
    assert not list(tmp_path.glob("*.new"))


def test_a_table_becomes_lines_of_records() -> None:
    found = packed.fault(PACKED["Parquet"], "texts/a'b.parquet")
    assert found
    (code,) = re.findall(r"python -c (.+)", found[1])
    given = subprocess.run(["bash", "-c", f"printf %s {code}"], capture_output=True, text=True, check=True).stdout
    compile(given, "x", "exec")
    assert "a'b.parquet" in given and "a'b.jsonl" in given


@pytest.mark.parametrize("name", ["texts/train.jsonl.gz", "texts/train.parquet"])
def test_a_name_in_a_recipe_says_it_too(zoo: Path, name: str) -> None:
    (zoo / name).write_bytes(b"x")
    recipe = tunesamples.recipe(zoo, tunesamples.corpus(train=[tinyzoo.text_file(name)]))
    (problem,) = check_recipe(recipe, zoo).problems
    assert problem.what == "a conversation file ends in .jsonl" and "texts/train.jsonl" in problem.instead
    assert problem.instead.startswith("Unpack it: ")


@pytest.mark.parametrize("raw", [b"BZh9 is a name\n", b"PAR1 is one too\n", b"PK\n", b""])
def test_text_is_not_taken_for_something_else(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    assert packed.form_of(raw) is None
    assert [line for _, lines in stream.batches(tmp_path / "a.txt", "a.txt") for line in lines] == raw.splitlines()
