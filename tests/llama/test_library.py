"""llama.cpp has one log for the whole process; whoever works with it hears only what is said of its own work."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")
gguf = pytest.importorskip("gguf")

from zoo.llama import library  # noqa: E402 - after the skips


def unknown(path: Path, architecture: str) -> Path:
    """A sound file that llama.cpp refuses, naming its architecture."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def load(path: Path) -> str:
    """Why llama.cpp does not load a file."""
    lib = library.require()
    with library.hearing() as heard:
        assert not lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
    return heard.error()


def test_two_threads_hear_their_own_reasons(tmp_path: Path) -> None:
    paths = {name: unknown(tmp_path / f"{name}.gguf", name) for name in ("first", "second")}
    heard: dict[str, set[str]] = {name: set() for name in paths}
    together = threading.Barrier(len(paths))

    def work(name: str) -> None:
        together.wait()
        for _ in range(20):
            heard[name].add(load(paths[name]))

    threads = [threading.Thread(target=work, args=(name,)) for name in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, reasons in heard.items():
        assert len(reasons) == 1 and f"'{name}'" in reasons.pop()


def test_an_inner_block_hears_too_and_later_work_is_not_heard(tmp_path: Path) -> None:
    with library.hearing() as outer:
        inner = load(unknown(tmp_path / "a.gguf", "inner"))
    assert "'inner'" in inner and inner == outer.error()
    load(unknown(tmp_path / "b.gguf", "later"))
    assert "'later'" not in " ".join(outer.lines())


def test_a_line_may_arrive_in_pieces() -> None:
    heard = library.Heard()
    for level, text in ((2, "one"), (5, " line\ntwo"), (4, "load: no such thing\n"), (4, "load: gave up")):
        heard.receive(level, text)
    assert heard.lines() == ["one line", "two", "load: no such thing", "load: gave up"]
    assert heard.error() == "no such thing"
