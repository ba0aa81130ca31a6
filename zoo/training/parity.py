"""A model folder as transformers sees it, for the parity check of the file that was made from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import transformers

from zoo.parity.material import CONVERSATIONS, MOST_TOKENS, STRINGS, TEXTS
from zoo.parity.seen import Parameter, Rendering, Seen
from zoo.progress import Advance, unheard
from zoo.templates.oracle import with_fixed_clock
from zoo.training.models import LOCAL, load_tokenizer, quiet, reading
from zoo.training.noise import logits_and_noise
from zoo.training.normalizing import cut, ids_of, normalizer_of


def look(folder: Path, export_type: str, *, threads: int, advance: Advance = unheard) -> Seen:
    """Tokens, logits (float32, on the CPU) and renderings of ``folder``; ``advance`` is told of each text.

    export_type: number format of the file that it will be compared with, for the own noise of each position.

    Raises ModelFileError when the folder cannot be read.
    """
    tokenizer = load_tokenizer(folder)
    with quiet(), reading(folder):
        config = transformers.AutoConfig.from_pretrained(folder, **LOCAL).get_text_config()
    limit = min(MOST_TOKENS, getattr(config, "max_position_embeddings", None) or MOST_TOKENS)
    with quiet():
        texts = [ids_of(tokenizer, text, markers=True)[:limit] for text in TEXTS]
        logits, noise = logits_and_noise(folder, texts, export_type, threads, advance)
        return Seen(
            side="transformers",
            cut=cut(tokenizer, STRINGS),
            texts=texts,
            logits=logits,
            noise=noise,
            normalizer=normalizer_of(tokenizer, STRINGS),
            renderings=[
                _rendering(tokenizer, messages, prompt)
                for messages in CONVERSATIONS
                for prompt in (False, True)
            ],
            parameters=_parameters(config),
            ends=frozenset(_ends(folder, tokenizer)),
            name_of=lambda token: str(tokenizer.decode([token], clean_up_tokenization_spaces=False)),
        )


PLAIN = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "layer_norm_eps",
    "vocab_size": "vocab_size",
}
"""GGUF's name of a parameter -> transformers' name."""
SCALINGS = {"default": "none", "linear": "linear", "yarn": "yarn", "llama3": "frequency factors",
            "longrope": "frequency factors", "su": "frequency factors"}  # fmt: skip
"""Kinds of rope scaling, by transformers' name, that llama.cpp has too."""


def _parameters(config: Any) -> dict[str, Parameter]:
    """Shape and constants of a text model, transformers' defaults filled in."""
    found = {
        key: Parameter(name, value)
        for key, name in PLAIN.items()
        if isinstance(value := getattr(config, name, None), int | float)
    }
    if getattr(config, "tie_word_embeddings", False) is False:
        # A tied head may be stored once more; a head of its own may not be missing.
        found["output.weight"] = Parameter("the head", "its own")
    rope = getattr(config, "rope_parameters", None) or {}
    rope = rope.get("full_attention", rope)
    if not isinstance(rope.get("rope_theta"), int | float):
        return found
    found["rope.freq_base"] = Parameter("rope_theta", rope["rope_theta"])
    if kind := SCALINGS.get(rope.get("rope_type", "default")):
        found["rope.scaling.type"] = Parameter("rope_type", kind)
        if kind in ("linear", "yarn") and "factor" in rope:
            found["rope.scaling.factor"] = Parameter("the rope's factor", rope["factor"])
    if head := getattr(config, "head_dim", None):
        share = rope.get("partial_rotary_factor", 1.0)
        found["rope.dimension_count"] = Parameter("head_dim x partial_rotary_factor", int(head * share))
    return found


def _rendering(tokenizer: Any, messages: Sequence[Any], prompt: bool) -> Rendering:
    """As transformers renders it, with the clock that the other side has."""
    if not tokenizer.chat_template:
        return Rendering(None, "there is no chat template")
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=prompt,
            chat_template=with_fixed_clock(tokenizer.get_chat_template()),
        )
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        return Rendering(None, str(error))
    return Rendering(str(text))


def _ends(folder: Path, tokenizer: Any) -> set[int]:
    """Ids that end a generation: the tokenizer's, and those of the generation configuration."""
    found = {int(tokenizer.eos_token_id)} if tokenizer.eos_token_id is not None else set()
    path = folder / "generation_config.json"
    if path.is_file():
        listed = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
        found |= set(listed if isinstance(listed, list) else [listed] if listed is not None else [])
    return found
