"""A model folder from transformers' side, for the parity check of its exported file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.judge.parity.material import CONVERSATIONS, MOST_TOKENS, STRINGS, TEXTS
from zoo.judge.parity.seen import Seen, Spaced, Taken
from zoo.progress import Advance, unheard
from zoo.training import tokenizerfile
from zoo.training.models import load_model, load_tokenizer, quiet
from zoo.training.noise import as_exported, logits_and_noise
from zoo.training.normalizing import cut, ids_of, normalizer_of
from zoo.training.renderings import renderings
from zoo.training.shapes import parameters

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def glance(folder: Path) -> Seen:
    """How the strings are cut, without a look at the weights. Raises ModelFileError if the folder cannot be read."""
    tokenizer = load_tokenizer(folder)
    with quiet():
        return Seen(
            side="transformers",
            cut=cut(tokenizer, STRINGS),
            texts=(),
            logits=(),
            renderings=(),
            parameters={},
            ends=frozenset(),
            name_of=lambda token: str(tokenizer.decode([token], clean_up_tokenization_spaces=False)),
            normalizer=normalizer_of(tokenizer, STRINGS),
            spaced=_spaced(folder, tokenizer),
        )


def look(
    folder: Path, export_type: str, *, threads: int, advance: Advance = unheard, first: Seen | None = None
) -> Seen:
    """Tokens, logits (float32, on the CPU) and renderings of ``folder``; ``advance`` is called for each text.

    export_type: number format of the file to compare with, for the own noise of each position. first: the result of
    ``glance``, if it is known. Raises ModelFileError if the folder cannot be read.
    """
    first = first or glance(folder)
    tokenizer = load_tokenizer(folder)
    rendered = renderings(tokenizer, [(m, prompt) for m in CONVERSATIONS for prompt in (False, True)])
    model = load_model(folder, torch.float32, "cpu")
    as_exported(model, export_type)
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or MOST_TOKENS
    limit = min(MOST_TOKENS, limit)
    with quiet():
        texts = [ids_of(tokenizer, text, markers=True)[:limit] for text in TEXTS]
        logits, noise = logits_and_noise(model, texts, export_type, threads, advance)
        return dataclasses.replace(
            first,
            texts=texts,
            logits=logits,
            noise=noise,
            renderings=rendered,
            parameters=parameters(model),
            ends=frozenset(_ends(folder, tokenizer)),
        )


def taking(folder: Path, names: Sequence[str]) -> Taken:
    """How the folder's tokenizer splits the strings if the tokens with these texts are control tokens.

    Raises ModelFileError if the folder cannot be read.
    """
    from tokenizers import AddedToken

    tokenizer = load_tokenizer(folder)
    with quiet():
        tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names])
        return Taken(tuple(names), cut(tokenizer, STRINGS), normalizer_of(tokenizer, STRINGS))


def _spaced(folder: Path, tokenizer: PreTrainedTokenizerBase) -> Spaced | None:
    """The tokens with a space before every text, if they differ; ``tokenizer`` itself does not change."""
    if not tokenizerfile.puts_space_first(tokenizer):
        return None
    other = load_tokenizer(folder)
    tokenizerfile.put_space_always(other)
    markers = tuple(str(token.content) for token in tokenizer.added_tokens_decoder.values())
    return Spaced(cut(other, STRINGS), normalizer_of(other, STRINGS), markers)


def _ends(folder: Path, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids that end a generation: the tokenizer's, and those of the generation configuration."""
    found = {int(tokenizer.eos_token_id)} if tokenizer.eos_token_id is not None else set()
    path = folder / "generation_config.json"
    if path.is_file():
        listed = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
        found |= set(listed if isinstance(listed, list) else [listed] if listed is not None else [])
    return found
