"""Access to llama.cpp's source in the environment: real vocabularies with their test vectors, and real templates.

``zoo converter --vocabularies`` puts them there (``make environment`` does). They are read, never copied into this
repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.llama import library
from zoo.llama.convert import source
from zoo.llama.model import Model

MODELS = source.FOLDER / "models"
SEPARATOR = "\n__ggml_vocab_test__\n"
"""The separator between two texts of a ``.inp`` file (tests/test-tokenizer-0.cpp in llama.cpp)."""


def vocabulary(name: str) -> Path:
    """The GGUF file of a vocabulary such as "llama-bpe". It holds no weights."""
    path = MODELS / f"ggml-vocab-{name}.gguf"
    assert path.is_file(), f"{path} is missing; run: zoo converter --vocabularies"
    return path


def vocabularies() -> list[str]:
    """Names of all vocabularies."""
    names = sorted(path.stem.removeprefix("ggml-vocab-") for path in MODELS.glob("ggml-vocab-*.gguf"))
    assert names, "no vocabularies found; run: zoo converter --vocabularies"
    return names


def vectors(name: str) -> Iterator[tuple[str, list[int]]]:
    """(text, token ids) pairs that llama.cpp states for a vocabulary; empty for one without test vectors."""
    path = vocabulary(name)
    given = path.with_name(f"{path.name}.inp")
    if not given.is_file():
        return
    # newline="": some texts are carriage returns.
    texts = given.read_bytes().decode("utf-8").split(SEPARATOR)
    lines = path.with_name(f"{path.name}.out").read_text(encoding="utf-8").splitlines()
    assert len(texts) == len(lines) or len(texts) == len(lines) + 1, name
    for text, line in zip(texts, lines, strict=False):
        yield text, [int(number) for number in line.split()]


@contextmanager
def opened(path: Path) -> Iterator[Model]:
    """A GGUF file as a Model that can only tokenize: nothing but its vocabulary is loaded."""
    lib = library.require()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    with library.hearing() as heard:
        pointer = lib.llama_model_load_from_file(str(path).encode(), params)
    assert pointer, heard.error()
    try:
        header: Any = None
        yield Model(path, header, 0, 1, 0, lib, lib.llama_model_get_vocab(pointer), None)
    finally:
        lib.llama_model_free(pointer)


def template(name: str) -> str:
    """The text of a chat template such as "Qwen-Qwen3-0.6B"."""
    return (MODELS / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def templates() -> list[str]:
    """Names of all chat templates."""
    return sorted(path.stem for path in (MODELS / "templates").glob("*.jinja"))
