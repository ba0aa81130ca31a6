"""Rendered conversations as tokens of transformers' tokenizers: markers that people wrote stay text.

A tokenizer of the ``tokenizers`` library recognises its markers by their text. For a conversation in which people wrote
one, a copy of it recognises them by names that no text contains, and the template's markers are written with these: the
same tokens, the same splitting and the same treatment of spaces around them.
"""

from __future__ import annotations

import json
import re
import weakref
from typing import TYPE_CHECKING

from catalog import jsontext
from catalog.jsonvalues import listed, table, tables, text
from zoo.errors import ZooError
from zoo.templates import markers

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

_LOOKS_SPECIAL = re.compile(r"<\|.*\|>|<｜.*｜>|<unused.*>|<pad>|<mask>|<2mass>|\[@BOS@\]", re.DOTALL)
"""Added tokens that llama.cpp's converter treats as control tokens, whatever the folder says about them
(``does_token_look_special`` in its ``conversion/base.py``): teacher and student must read the same."""

_COPIES: weakref.WeakKeyDictionary[PreTrainedTokenizerBase, Tokenizer] = weakref.WeakKeyDictionary()


def ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The ids of the control tokens."""
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return special | set(tokenizer.all_special_ids)


def texts(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The texts of the control tokens, with their ids."""
    added = {str(token): (number, token.special) for number, token in tokenizer.added_tokens_decoder.items()}
    found = {text: number for text, (number, special) in added.items() if special or _LOOKS_SPECIAL.fullmatch(text)}
    return found | dict(zip(map(str, tokenizer.all_special_tokens), tokenizer.all_special_ids, strict=True))


def tokens(tokenizer: PreTrainedTokenizerBase, rendered: str) -> list[int]:
    """Token ids of a rendered text; nothing is added. Raises ZooError if markers in it cannot be kept as text."""
    if not markers.is_protected(rendered):
        return [int(token) for token in tokenizer(rendered, add_special_tokens=False)["input_ids"]]
    names = {text: _name(number) for text, number in texts(tokenizer).items()}
    parts = markers.divided(rendered, names)
    text = "".join(names[part] if is_marker else part for part, is_marker in parts)
    if tokenizer not in _COPIES:
        _COPIES[tokenizer] = _renamed(tokenizer, names)
    return [int(token) for token in _COPIES[tokenizer].encode(text, add_special_tokens=False).ids]


def _name(number: int) -> str:
    """The copy's name for a token: between noncharacters, so that no text contains it."""
    return f"\ufdd1{number}\ufdd2"


def _renamed(tokenizer: PreTrainedTokenizerBase, names: dict[str, str]) -> Tokenizer:
    """A ``tokenizers.Tokenizer`` like the tokenizer's own, with every text of ``names`` replaced by its name."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ZooError(
            "A message has a chat marker in it, which this tokenizer cannot keep as text",
            remedy="Remove the marker from the prompt, or use a student with a tokenizer.json",
        )
    data = table(jsontext.parse(backend.to_str(), bounded=False))
    for token in tables(data["added_tokens"]):
        if (content := text(token["content"])) in names:
            token |= {"content": names[content], "normalized": False}
    model = table(data["model"])
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(word, word): number for word, number in vocab.items()}
    else:
        scores = (listed(pair) for pair in listed(vocab))
        model["vocab"] = [[names.get(text(word), word), score] for word, score in scores]
    unknown = model.get("unk_token")
    if isinstance(unknown, str) and unknown in names:
        model["unk_token"] = names[unknown]
    data["post_processor"] = data["truncation"] = data["padding"] = None
    renamed: Tokenizer = type(backend).from_str(json.dumps(data))
    return renamed
