"""Tokens that people defined in a sentencepiece vocabulary are found before any merge, as llama.cpp finds them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("transformers")

from tokenizers import Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from zoo.gguf.sentencepieces import NORMAL, UNKNOWN, USER_DEFINED, Pieces
from zoo.training import ownpieces

SPACE = "\u2581"
TEXTS = ["<unk>", SPACE, "a", SPACE * 2, SPACE * 3, SPACE + "a", "\n", "\n\n"]
MERGES = [(SPACE, SPACE), (SPACE, "a"), (SPACE * 2, SPACE), ("\n", "\n")]


def made() -> Any:
    """As transformers reads such a file: spaces of all pieces are U+2581, and runs are left to the merges."""
    vocabulary = {text: number for number, text in enumerate(TEXTS)}
    backend = Tokenizer(models.BPE(vocabulary, MERGES, unk_token="<unk>"))
    backend.normalizer = normalizers.Replace(" ", SPACE)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def pieces(*defined: int, texts: list[str] | None = None) -> Pieces:
    kinds = [UNKNOWN if n == 0 else USER_DEFINED if n in defined else NORMAL for n in range(len(TEXTS))]
    return Pieces(texts or TEXTS, [0.0] * len(TEXTS), kinds, dummy_prefix=False)


def ids(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


def test_runs_of_spaces_are_tokens_of_the_text() -> None:
    tokenizer = made()
    assert ids(tokenizer, "a   a") == [2, 3, 5]
    own = [text.replace(SPACE, " ") if n in (3, 4) else text for n, text in enumerate(TEXTS)]
    ownpieces.fit(tokenizer, pieces(3, 4, texts=own))
    assert ids(tokenizer, "a   a") == [2, 4, 2] and ids(tokenizer, "     a") == [4, 3, 2]
    assert ids(tokenizer, " a") == [5] and tokenizer.convert_ids_to_tokens([3, 4]) == ["  ", "   "]
    assert len(tokenizer) == len(TEXTS)


def test_a_run_that_is_spelled_alike_is_one_too() -> None:
    tokenizer = made()
    before = tokenizer.backend_tokenizer.to_str()
    ownpieces.fit(tokenizer, pieces())
    ownpieces.fit(tokenizer, None)
    assert tokenizer.backend_tokenizer.to_str() == before
    ownpieces.fit(tokenizer, pieces(7))
    assert ids(tokenizer, "\n\n\n") == [7, 6]
    after = tokenizer.backend_tokenizer.to_str()
    ownpieces.fit(tokenizer, pieces(7))
    assert tokenizer.backend_tokenizer.to_str() == after
