"""Reading and rewriting GGUF headers, and refusing invalid ones."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import time
from pathlib import Path

import gguf
import pytest
from smalldisk import mounted
from tinygguf import make_tiny_gguf, smollm2, string_value

from catalog import memory
from zoo.errors import InputError, ModelFileError
from zoo.gguf.caches import cache_of
from zoo.gguf.header import read_header, rewrite_header
from zoo.gguf.layout import TYPES, opened, read_raw
from zoo.gguf.privacy import drop_local_paths, local_path_keys


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def tail(path: Path) -> bytes:
    with opened(path) as source:
        return bytes(source.data[read_raw(source).data_start :])


def test_the_real_file_is_read_without_its_weights_and_quickly() -> None:
    started = time.process_time()
    header = read_header(smollm2())
    assert time.process_time() - started < 2
    assert header.architecture == "llama"
    assert (header.parameters, header.block_count, header.embedding_length) == (134_515_008, 30, 576)
    assert (header.head_count, header.head_count_kv, header.vocabulary_size) == (9, 3, 49_152)
    assert header.context_tokens == 8192
    assert header.file_type == 3
    assert header.bits_per_weight == pytest.approx(5.7437, abs=1e-4)
    assert memory.cache_bytes(cache_of(header), 2048) == 2 * 30 * 2048 * 3 * 64 * 2
    template = str(header.metadata["tokenizer.chat_template"])
    assert header.template_sha256 == hashlib.sha256(template.encode()).hexdigest()


def test_the_tiny_file_agrees_with_the_gguf_package(tiny: Path) -> None:
    header, other = read_header(tiny), gguf.GGUFReader(str(tiny))
    assert [(t.name, t.type_name, list(t.shape), t.size_bytes) for t in header.tensors] == [
        (t.name, t.tensor_type.name, [int(n) for n in t.shape], int(t.n_bytes)) for t in other.tensors
    ]
    scalars = {key: field.contents() for key, field in other.fields.items() if not key.startswith("GGUF.")}
    scalars = {key: value for key, value in scalars.items() if not isinstance(value, list)}
    assert header.metadata == scalars


def test_block_sizes_are_those_of_the_gguf_package() -> None:
    known = {int(number): (number.name, *sizes) for number, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: TYPES[number] for number in known} == known


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.01, 0.02, 0.5, 0.999999])
def test_a_file_cut_short_is_refused(tiny: Path, tmp_path: Path, share: float) -> None:
    whole = tiny.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelFileError) as caught:
        read_header(cut)
    assert caught.value.exit_code == 1
    assert caught.value.remedy


def patched(tiny: Path, target: Path, at: int, value: bytes) -> Path:
    data = bytearray(tiny.read_bytes())
    data[at : at + len(value)] = value
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, b"GGUE", "does not begin with"),
        (4, struct.pack("<I", 4), "version 4"),
        (4, struct.pack(">I", 3), "version"),
        (4, struct.pack("<I", 1), "too old"),
        (8, struct.pack("<Q", 0), "no tensors"),
        (8, struct.pack("<Q", 1 << 60), "tensor list"),
        (16, struct.pack("<Q", 1 << 60), "metadata"),
        (24, struct.pack("<Q", 1 << 60), "key's name"),
    ],
)
def test_a_flipped_field_is_named(tiny: Path, tmp_path: Path, at: int, value: bytes, said: str) -> None:
    with pytest.raises(ModelFileError, match=said):
        read_header(patched(tiny, tmp_path / "bad.gguf", at, value))


def test_a_huge_array_allocates_nothing(tiny: Path, tmp_path: Path) -> None:
    with opened(tiny) as source:
        at = read_raw(source).entries["tokenizer.ggml.tokens"].start - 8
    bad = patched(tiny, tmp_path / "bad.gguf", at, struct.pack("<Q", 1 << 60))
    started = time.process_time()
    with pytest.raises(ModelFileError, match="tokenizer"):
        read_header(bad)
    assert time.process_time() - started < 0.5


def test_no_single_flipped_byte_of_the_header_escapes_as_another_error(tiny: Path, tmp_path: Path) -> None:
    with opened(tiny) as source:
        end = read_raw(source).data_start
    whole, bad = tiny.read_bytes(), tmp_path / "bad.gguf"
    step = end // 400
    for at in [*range(400), *range(400, end, step), *range(end - 600, end, 7)]:
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        try:
            read_header(bad)
        except ModelFileError:
            continue


@pytest.mark.parametrize("content", [b"", b"hello, I am a text file\n" * 40, b"GGUF"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(content)
    with pytest.raises(ModelFileError):
        read_header(other)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(ModelFileError, match="cannot be read"):
            read_header(path)


def test_a_file_without_an_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.gguf"
    tensor = string_value("w") + struct.pack("<IQIQ", 1, 8, 0, 0)
    path.write_bytes((b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor).ljust(64, b"\0") + bytes(32))
    with pytest.raises(ModelFileError, match="architecture"):
        read_header(path)


def test_rewriting_sets_adds_removes_and_keeps_the_weights(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.gguf"
    changes = {
        "general.name": "Ünïted",
        "general.tags": ["a", "bé"],
        "zoo.run": 7,
        "zoo.share": 0.5,
        "zoo.done": True,
        "llama.context_length": 300,
        "general.file_type": None,
    }
    rewrite_header(tiny, target, changes)
    before, after = read_header(tiny), read_header(target)
    assert after.tensors == before.tensors
    assert tail(target) == tail(tiny)
    assert after.vocabulary_sha256 == before.vocabulary_sha256
    assert after.context_tokens == 300
    assert after.file_type is None
    expected = {"general.name": "Ünïted", "zoo.run": 7, "zoo.share": 0.5, "zoo.done": True}
    assert expected.items() <= after.metadata.items()
    reader = gguf.GGUFReader(str(target))
    assert reader.fields["general.tags"].contents() == ["a", "bé"]
    keys = [key for key in reader.fields if not key.startswith("GGUF.")]
    assert keys[0] == "general.architecture"
    assert keys[1:] == sorted(keys[1:])


def test_rewriting_is_deterministic_and_goes_back(tiny: Path, tmp_path: Path) -> None:
    one, two, back = tmp_path / "1.gguf", tmp_path / "2.gguf", tmp_path / "3.gguf"
    rewrite_header(tiny, one, {})
    rewrite_header(one, two, {"general.name": "other", "zoo.x": "y"})
    rewrite_header(two, back, {"zoo.x": None, "general.name": "tiny"})
    assert back.read_bytes() == one.read_bytes()
    rewrite_header(back, back, {"zoo.x": 1})
    assert read_header(back).metadata["zoo.x"] == 1


def test_a_refused_rewrite_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        rewrite_header(tiny, tmp_path / "new.gguf", {"general.alignment": 64})
    with pytest.raises(InputError, match="too small"):
        rewrite_header(tiny, tmp_path / "new.gguf", {"llama.context_length": 1 << 40})
    assert list(tmp_path.iterdir()) == []


def test_paths_of_the_builder_are_found_and_dropped(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "leak.gguf"
    leaks = {
        "quantize.imatrix.file": "matrix.dat",
        "general.source": "/home/anna/models/x",
        "zoo.w": "C:\\x\\y",
    }
    rewrite_header(tiny, path, {**leaks, "general.url": "https://example.org/a/b", "zoo.ratio": "a/b"})
    assert local_path_keys(read_header(path)) == sorted(leaks)
    assert drop_local_paths(path) == sorted(leaks)
    clean = tmp_path / "clean.gguf"
    rewrite_header(tiny, clean, {"general.url": "https://example.org/a/b", "zoo.ratio": "a/b"})
    assert path.read_bytes() == clean.read_bytes()


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, zoo.llama, zoo.llama.library, zoo.gguf.header, zoo.llama.convert.convert, zoo.llama.generate\n"
        "print([m for m in ('llama_cpp', 'gguf', 'numpy', 'jinja2', 'torch') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_versions_name_the_packages() -> None:
    from zoo.llama.library import versions

    found = versions()
    assert set(found) == {"llama-cpp-python", "gguf", "numpy"}
    assert found["numpy"]


def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path) -> None:
    source = make_tiny_gguf(tmp_path / "m.gguf")
    with mounted(tmp_path / "disk", "64k") as disk:
        with pytest.raises(ModelFileError, match="No space left on device") as caught:
            rewrite_header(source, disk / "m.gguf", {})
        assert caught.value.remedy.startswith("Free some space") and caught.value.again
        assert list(disk.iterdir()) == []
