"""The converter comes from the source of the installed library: unpacked safely, stamped, and checked against it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import llamasource
import pytest
import tinyzoo

from zoo.__main__ import main
from zoo.errors import InputError, ModelFileError
from zoo.llama.convert import source
from zoo.plan import preflight, world
from zoo.stages.table import CONVERTER

pytest.importorskip("llama_cpp")
HERE = source.installed()
TOP = "llama_cpp_python-1.2.3"
FILES = {
    "PKG-INFO": "Metadata-Version: 2.2\nName: llama_cpp_python\nVersion: 1.2.3\n\nVersion: 9 in the long text\n",
    "vendor/llama.cpp/LICENSE": "MIT",
    "vendor/llama.cpp/convert_hf_to_gguf.py": "print('converter')\n",
    "vendor/llama.cpp/conversion/base.py": "base = 1\n",
    "vendor/llama.cpp/gguf-py/gguf/vocab.py": "vocab = 1\n",
    "vendor/llama.cpp/models/templates/one.jinja": "{{ messages }}",
    "vendor/llama.cpp/models/ggml-vocab-one.gguf": "GGUF",
    "vendor/llama.cpp/src/llama.cpp": "int main;",
    "vendor/llama.cpp/conversion/notes.txt": "not needed",
}


def sdist(
    path: Path, changes: Mapping[str, str | None] = {}, more: tuple[tarfile.TarInfo, ...] = (), top: str = TOP
) -> Path:
    """A small source distribution; ``changes`` replace files or remove them (None)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {**FILES, **changes}.items():
            if text is not None:
                info = tarfile.TarInfo(f"{top}/{name}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        for info in more:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


def test_only_what_is_needed_is_unpacked_and_stamped(tmp_path: Path) -> None:
    stamp = source.unpack(sdist(tmp_path / "a.tar.gz"), tmp_path / "made")
    assert sorted(tinyzoo.tree(tmp_path / "made")) == [
        "LICENSE", "conversion/base.py", "convert_hf_to_gguf.py", "gguf-py/gguf/vocab.py", "models/templates/one.jinja",
        source.STAMP,
    ]  # fmt: skip
    assert stamp.llama_cpp_python == "1.2.3" and source.read_stamp(tmp_path / "made") == stamp
    assert stamp.converter_sha256 == source.converter_sha256(tmp_path / "made")
    source.unpack(sdist(tmp_path / "a.tar.gz"), tmp_path / "made", vocabularies=True)
    assert (tmp_path / "made/models/ggml-vocab-one.gguf").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "made"]


def test_names_that_lead_elsewhere_and_links_are_never_written(tmp_path: Path) -> None:
    place = f"{TOP}/vendor/llama.cpp/conversion"
    bad = (
        entry(f"{place}/../../../../../escaped.py"),
        entry(f"{place}/a/../../../up.py"),
        entry(f"{TOP}/vendor/llama.cpp//conversion/double.py"),
        entry(f"{place}/link.py", tarfile.SYMTYPE, "/etc/passwd"),
        entry(f"{place}/hard.py", tarfile.LNKTYPE, f"{TOP}/PKG-INFO"),
        entry(f"{place}/device.py", tarfile.CHRTYPE),
        entry("/vendor/llama.cpp/conversion/rooted.py"),
    )
    (tmp_path / "in").mkdir()
    source.unpack(sdist(tmp_path / "a.tar.gz", more=bad), tmp_path / "in" / "made")
    assert [path.name for path in (tmp_path / "in/made/conversion").iterdir()] == ["base.py"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "in"]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"vendor/llama.cpp/convert_hf_to_gguf.py": None}, ModelFileError, "not a source distribution"),
        ({"PKG-INFO": None}, ModelFileError, "not a source distribution"),
        ({"PKG-INFO": "Name: other\nVersion: 1.2.3\n"}, ModelFileError, "not a source distribution"),
        ({"PKG-INFO": "Name: llama-cpp-python\nVersion: 1.2.4\n"}, InputError, "1.2.4"),
    ],
)
def test_another_file_is_refused_and_what_was_there_stays(
    tmp_path: Path, changes: dict[str, str | None], error: type[Exception], said: str
) -> None:
    source.unpack(sdist(tmp_path / "a.tar.gz"), tmp_path / "made")
    before = tinyzoo.tree(tmp_path / "made")
    with pytest.raises(error, match=said):
        source.unpack(sdist(tmp_path / "b.tar.gz", changes), tmp_path / "made", wanted="1.2.3")
    assert tinyzoo.tree(tmp_path / "made") == before


def test_a_file_that_is_cut_short_or_no_archive_is_refused(tmp_path: Path) -> None:
    whole = sdist(tmp_path / "a.tar.gz").read_bytes()
    for number, raw in enumerate((whole[: len(whole) // 2], b"not an archive", b"", whole[:-9] + b"\0" * 9)):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(raw)
        with pytest.raises(ModelFileError, match="not a valid"):
            source.unpack(path, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_key_follows_the_converters_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for place, vocabularies in ((one, False), (two, True)):
        source.unpack(sdist(tmp_path / "a.tar.gz"), place, vocabularies=vocabularies)
    (two / "conversion/__pycache__").mkdir()
    (two / "conversion/__pycache__/base.cpython-311.pyc").write_bytes(b"compiled")
    assert source.converter_sha256(one) == source.converter_sha256(two)
    monkeypatch.setenv("ZOO_CONVERTER", str(one))
    before = world.tool_versions()[CONVERTER]
    assert before.startswith("1.2.3+")
    (one / "conversion/base.py").write_text("base = 2\n", encoding="utf-8")
    assert world.tool_versions()[CONVERTER] != before
    (one / source.STAMP).unlink()
    assert source.version().startswith("0+") and source.fault() is None
    monkeypatch.setenv("ZOO_CONVERTER", str(tmp_path / "nowhere"))
    assert source.version() == "absent"


def test_a_converter_of_another_version_or_changed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CONVERTER", str(tmp_path / "made"))
    source.unpack(sdist(tmp_path / "a.tar.gz"), tmp_path / "made")
    versions = world.tool_versions()
    (fault,) = preflight._packages({CONVERTER}, versions)
    assert "1.2.3" in fault and str(HERE) in fault and "zoo converter" in fault
    assert preflight._packages({"torch"}, versions) == []
    info = f"Name: llama-cpp-python\nVersion: {HERE}\n"
    source.unpack(sdist(tmp_path / "b.tar.gz", {"PKG-INFO": info}), tmp_path / "made")
    assert source.fault() is None
    (tmp_path / "made/conversion/more.py").write_text("", encoding="utf-8")
    assert "changed" in str(source.fault())


def test_the_command_needs_no_network_with_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    info = f"Name: llama-cpp-python\nVersion: {HERE}\n"
    made = sdist(tmp_path / "a.tar.gz", {"PKG-INFO": info})
    assert main(["converter", "--sdist", str(made), "--to", "made", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["llama_cpp_python"] == HERE and (tmp_path / "made" / source.SCRIPT).is_file()
    # pip uses no index here, so its messages are its own.
    assert main(["converter", "--to", "made"]) == 1
    assert "zoo converter --sdist FILE" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious").touch()
    assert main(["converter", "--sdist", str(made), "--to", "mine"]) == 2
    assert main(["converter", "--sdist", str(tmp_path / "absent.tar.gz"), "--to", "made"]) == 2
    assert (tmp_path / "mine/precious").exists() and (tmp_path / "made" / source.SCRIPT).is_file()


@pytest.mark.parametrize("place", ["a-file/made", "nowhere/made", "/proc/made"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_download(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    Path("a-file").touch()
    Path("nowhere").symlink_to("absent")
    before = sorted(tmp_path.iterdir())
    assert main(["converter", "--to", place]) == 2
    err = capsys.readouterr().err
    above = place.rpartition("/")[0]
    assert f"cannot be installed in {place}, because " in err and f"{above} " in err and "pip" not in err
    assert "Nothing was downloaded or changed." in err and "--to FOLDER" in err and "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_the_environment_has_the_source_that_the_tests_read() -> None:
    assert {"llama-bpe", "llama-spm", "qwen2", "gemma-4", "phi-3"} <= set(llamasource.vocabularies())
    assert len(llamasource.templates()) >= 60
    assert len(list(llamasource.vectors("llama-bpe"))) >= 40
