"""A tokenizer that splits text as its tokenizer.json says.

Some tokenizer classes of transformers 5 build their own pipeline around the vocabulary. For example, Llama's puts no
space before a text that begins with one, although the file and sentencepiece do. Other readers of the folder, such as
llama.cpp's converter, follow the files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.gguf import sentencepieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PARTS = ("normalizer", "pre_tokenizer", "decoder")
SPACE = "\u2581"
"""How sentencepiece writes a space."""
LLAMA = ("LlamaTokenizer", "LlamaTokenizerFast")
"""Names of the class for sentencepiece's BPE with byte fallback."""


def follow(tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """Give ``tokenizer`` the normalizer, pre-tokenizer and decoder of the tokenizer.json at ``path``, if there is one.

    The class still does the post-processing, which follows tokenizer_config.json (add_bos_token and the like).
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not path.is_file():
        return
    told = jsontext.read(path, bounded=False)
    if not isinstance(told, dict) or table(told.get("model")).get("type") != "BPE":
        return
    now = table(jsontext.parse(backend.to_str(), bounded=False))
    parts = {name: told.get(name) for name in PARTS}
    if parts == {name: now.get(name) for name in PARTS}:
        return
    from tokenizers import Tokenizer

    empty = {"type": "BPE", "vocab": {}, "merges": []}
    made = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], "model": empty, **parts}))
    for name in PARTS:
        setattr(backend, name, getattr(made, name))


def lost_spaces(tokenizer: PreTrainedTokenizerBase, folder: Path) -> bool:
    """Whether tokenizer.model puts a space before every text, and ``tokenizer``, which was read from it alone, does
    not.

    transformers 5 reads a Mistral folder with its plain class, although tokenizer_config.json names Llama's, which puts
    the space. So it reads every folder whose tokenizer_config.json names no class.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not _is_spaced(folder):
        return False
    data = table(jsontext.parse(backend.to_str(), bounded=False))
    return table(data.get("model")).get("type") == "BPE" and not sentencepieces.puts_space(data)


def follow_pieces(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Put a space also before a text that begins with one, if ``folder`` has tokenizer.model alone and that does.

    Not for ``legacy: false`` of tokenizer_config.json, which asks for no space after a marker.
    """
    if puts_space_first(tokenizer, ("always",)) and _is_spaced(folder):
        put_space_always(tokenizer)


def _is_spaced(folder: Path) -> bool:
    """Whether it has tokenizer.model alone, of Llama's kind, which puts a space before every text."""
    path, stated = folder / "tokenizer.model", folder / "tokenizer_config.json"
    if (folder / "tokenizer.json").is_file() or not path.is_file():
        return False
    config = table(jsontext.read(stated, bounded=False, finite=False)) if stated.is_file() else {}
    if config.get("tokenizer_class") not in (None, *LLAMA) or config.get("add_prefix_space") is False:
        return False
    from sentencepiece import SentencePieceProcessor

    first: str = SentencePieceProcessor(model_file=str(path)).encode("a", out_type=str)[0]
    return first.startswith(SPACE)


def puts_space_first(tokenizer: PreTrainedTokenizerBase, schemes: Sequence[str] = ("first", "always")) -> bool:
    """Whether it puts a space before a text only if there is none, as Llama's tokenizer of transformers 5 does.

    schemes: "first" puts none after a marker, "always" does.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts = table(jsontext.parse(backend.to_str(), bounded=False)) if backend is not None else {}
    cutter = table(parts.get("pre_tokenizer"))
    return (
        cutter.get("type") == "Metaspace"
        and cutter.get("prepend_scheme") in schemes
        and cutter.get("replacement") == SPACE
        and not cutter.get("split", True)
    )


def put_space_always(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make such a tokenizer put a space before every text, as sentencepiece does (its ``add_dummy_prefix``)."""
    from tokenizers import normalizers

    backend = tokenizer.backend_tokenizer
    before = [backend.normalizer] if backend.normalizer is not None else []
    spaces = [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    backend.normalizer = normalizers.Sequence([*before, *spaces])
    backend.pre_tokenizer = None
