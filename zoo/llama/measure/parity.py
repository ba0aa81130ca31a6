"""An exported file from llama.cpp's side, for the parity check against the folder that it was made from."""

from __future__ import annotations

import ctypes
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.gguf import caches, layerkinds
from zoo.gguf.header import Header
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.material import CONVERSATIONS, STRINGS, TEXTS
from zoo.judge.parity.seen import NO_TEMPLATE, Cut, Generated, Logits, Parameter, Rendering, Seen
from zoo.llama.generate import Job, generate
from zoo.llama.measure.logits import window_logits
from zoo.llama.model import Model
from zoo.progress import Advance, unheard
from zoo.templates.oracle import with_fixed_clock
from zoo.templates.renderer import OverLimit

CONVERSATION_TOKENS = 1024
"""Context for a conversation, even for a tokenizer that splits at every byte."""
ORDINARY = 1
"""llama.cpp's number for the type of an ordinary token."""
MARKER = re.compile(r"</?[|\w][^<>\s]{0,40}>|\[/?[A-Z_]+\]")
"""What templates write for a marker: <|end|>, </s>, <end_of_turn>, [/INST]."""
LONG = "rope_factors_long.weight"
FREQUENCY_FACTORS = {"rope_freqs.weight", LONG}
"""Tensors with a factor for each frequency of the rope (llama3, longrope)."""


@dataclass(frozen=True)
class FileSeen:
    """The file's side. own: the renderings by this project's own code, which also renders the probes and the labels.

    generated: the result of a generation that was forced to write what the template writes after the last answer; None
    without a template. built_in: whether the renderer inside llama.cpp, which does not run templates but recognises
    some, writes the same: "same", "other" or "unknown". read_clock: whether a rendering contains the date.
    """

    seen: Seen
    own: tuple[Rendering, ...]
    generated: Generated | None
    built_in: str
    read_clock: bool


def glance(path: Path, normalized: Sequence[str] | None = None) -> Seen:
    """How the strings are cut. path: a model, or its vocabulary alone. normalized: see ``look``. Raises ModelFileError
    as that does."""
    with Model.open_vocabulary(path) as model:
        seen = Seen(
            side="the GGUF file",
            cut=_cut(model, STRINGS),
            texts=(),
            logits=(),
            renderings=(),
            parameters={},
            ends=frozenset(),
            name_of=lambda token: names.get(token, ""),
            of_normalized=None if normalized is None else _cut(model, normalized),
            by_sight=_by_its_text(model, path),
        )
        names = {token: _name(model, token) for token in _mentioned(seen)}
        return seen


def look(
    path: Path,
    texts: Sequence[Sequence[int]],
    normalized: Sequence[str] | None = None,
    *,
    threads: int,
    advance: Advance = unheard,
) -> FileSeen:
    """Tokens, renderings, and the logits of ``texts`` (ids of the other side); ``advance`` is called for each text.

    normalized: the strings after the folder's normalizer, which are also split.
    Raises ModelFileError for a file that does not load.
    """
    room = max([CONVERSATION_TOKENS, *map(len, texts)])
    with Model.open(path, threads=threads, context_tokens=room) as model:
        ends = model.end_tokens
        shown = [(messages, prompt) for messages in CONVERSATIONS for prompt in (False, True)]
        # This one goes first because it has limits: a template that exceeds them is never given to a library without
        # limits.
        own = tuple(_own(model, messages, prompt) for messages, prompt in shown)
        used = [_as_used(model, messages, prompt) for messages, prompt in shown]
        logits = []
        for ids in texts:
            known = all(token < model.vocabulary_size for token in ids)
            logits.append(_logits(model, ids if known else [0] * len(ids), threads))
            advance(1)
        seen = Seen(
            side="the GGUF file",
            cut=_cut(model, STRINGS),
            texts=[model.tokenize(text, add_special=True, parse_special=True) for text in TEXTS],
            logits=logits,
            renderings=used,
            parameters=_parameters(model.header),
            ends=ends,
            name_of=lambda token: names.get(token, ""),
            of_normalized=None if normalized is None else _cut(model, normalized),
            by_sight=_by_its_text(model, path),
        )
        generated = _generated(model, own)
        forced = generated.forced if generated else ()
        names = {token: _name(model, token) for token in {*_mentioned(seen), *forced}}
        return FileSeen(seen, own, generated, _built_in(model, shown, used), model.read_clock)


def _logits(model: Model, ids: Sequence[int], threads: int) -> Logits:
    """The logits of a text, in a context of its own if that decides about the rope.

    A longrope model has other factors beyond its original context. transformers chooses them by the length of the text,
    llama.cpp by that of the context (``get_rope_factors`` in its ``llama-model.cpp``).
    """
    original = model.header.metadata.get(f"{model.header.architecture}.rope.scaling.original_context_length")
    if LONG not in {tensor.name for tensor in model.header.tensors} or not isinstance(original, int):
        return window_logits(model, ids)
    if original >= model.context_tokens:
        return window_logits(model, ids)
    with Model.open(model.path, threads=threads, context_tokens=len(ids)) as own:
        return window_logits(own, ids)


def _cut(model: Model, texts: Sequence[str]) -> Cut:
    tokens = [model.tokenize(text, add_special=False, parse_special=True) for text in texts]
    whole = [model.tokenize(text, add_special=True, parse_special=True) for text in texts]
    return Cut(tokens, whole, [model.detokenize(ids, special=True) for ids in tokens])


def _by_its_text(model: Model, path: Path) -> tuple[str, ...]:
    """Texts of tokens that are control tokens for llama.cpp but ordinary ones (type 1) in the file."""
    runs = vocabulary_facts(path)["token_types"] or ()
    types = itertools.chain.from_iterable([kind] * count for kind, count in runs)
    found = (
        token
        for token, kind in enumerate(types)
        if kind == ORDINARY and model.lib.llama_vocab_is_control(model.vocab, token)
    )
    return tuple(_name(model, token) for token in found)


def _parameters(header: Header) -> dict[str, Parameter]:
    """Shape and constants as llama.cpp reads them from the header, with its defaults."""
    own = f"{header.architecture}."
    found = {key.removeprefix(own): value for key, value in header.metadata.items() if key.startswith(own)}
    tensors = {tensor.name for tensor in header.tensors}
    found |= {
        "vocab_size": header.vocabulary_size,
        "attention.head_count_kv": header.head_count_kv,
        "attention.key_length": header.key_length,
        "rope.freq_base": found.get("rope.freq_base", 10_000.0),
        "rope.dimension_count": found.get("rope.dimension_count", header.key_length),
        "rope.scaling.type": found.get("rope.scaling.type", "none"),
        "output.weight": "its own" if "output.weight" in tensors else "the embedding",
    }
    if tensors & FREQUENCY_FACTORS:
        found["rope.scaling.type"] = "frequency factors"
    if any(key.startswith("attention.kv_lora") for key in found):
        # Latent attention: the header describes the compressed cache, not the heads of the configuration.
        found = {
            k: v
            for k, v in found.items()
            if not k.startswith(("attention.head", "attention.key", "rope.dim"))
        }
    if found.get("expert_count"):
        # A width that a model of experts may not have in any matrix.
        found.pop("feed_forward_length", None)
    if isinstance(found.get("block_count"), int):
        # Layers that predict several tokens ahead are counted in the header; transformers does not count them.
        found["block_count"] = header.block_count - int(found.get("nextn_predict_layers", 0))
    if (windows := caches.windowed(header)) is not None:
        found[layerkinds.KEY] = layerkinds.shown(windows)
    names = {"output.weight": "the head"}
    return {
        key: Parameter(names.get(key, own + key), value)
        for key, value in found.items()
        if not isinstance(value, bool)
    }


def _mentioned(seen: Seen) -> set[int]:
    """Every id that a sentence may name; the model is closed at that time."""
    found = {token for ids in (*seen.cut.tokens, *seen.cut.whole, *seen.texts) for token in ids} | set(
        seen.ends
    )
    for rows in seen.logits:
        found |= {int(token) for token in rows.argmax(axis=1)}
    return found


def _name(model: Model, token: int) -> str:
    return model.detokenize([token], special=True).decode("utf-8", errors="replace")


def _own(model: Model, messages: Sequence[Mapping[str, str]], prompt: bool) -> Rendering:
    try:
        return Rendering(model.render(messages, add_generation_prompt=prompt))
    except OverLimit:
        raise
    except ZooError as error:
        return Rendering(None, error.what)


def _as_used(model: Model, messages: Sequence[Mapping[str, str]], prompt: bool) -> Rendering:
    """The renderings by llama-cpp-python, as when people chat with the file, with the fixed clock."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    if model.chat_template is None:
        return Rendering(None, NO_TEMPLATE)
    try:
        formatter = Jinja2ChatFormatter(
            with_fixed_clock(model.chat_template), add_generation_prompt=prompt, **model.special_texts
        )
        return Rendering(str(formatter(messages=[dict(message) for message in messages]).prompt))
    except Exception as error:  # noqa: BLE001  # whatever a template does that is not valid
        return Rendering(None, str(error) or type(error).__name__)


def _generated(model: Model, own: Sequence[Rendering]) -> Generated | None:
    """Force the generation that answers prompts to write what follows the answer that ends the last conversation."""
    text = own[-2].text
    if text is None:
        return None
    answer = CONVERSATIONS[-1][-1]["content"]
    before, _, tail = text.rpartition(answer)
    forced = tuple(model.tokenize(tail, add_special=False, parse_special=True))
    if not forced:
        return Generated((), 0, stopped=False)
    job = Job("end of turn", before + answer, len(forced), forced=forced)
    result = next(iter(generate(model, [job], batch_rows=1)))
    strange = [marker for marker in MARKER.findall(tail) if len(_marker(model, marker)) > 1]
    return Generated(forced, len(result.tokens), result.finish == "stop", tuple(dict.fromkeys(strange)))


def _marker(model: Model, text: str) -> list[int]:
    return model.tokenize(text, add_special=False, parse_special=True)


def _built_in(
    model: Model, shown: Sequence[tuple[Sequence[Mapping[str, str]], bool]], used: Sequence[Rendering]
) -> str:
    """The output of ``llama_chat_apply_template`` for the conversations that the template renders."""
    texts = [
        (_by_sight(model, messages, prompt), rendering.text)
        for (messages, prompt), rendering in zip(shown, used, strict=True)
        if rendering.text is not None
    ]
    if not texts or any(text is None for text, _ in texts):
        return "unknown"
    return "same" if all(text == expected for text, expected in texts) else "other"


def _by_sight(model: Model, messages: Sequence[Mapping[str, str]], prompt: bool) -> str | None:
    lib = model.lib
    chat = (lib.llama_chat_message * len(messages))(
        *(lib.llama_chat_message(m["role"].encode(), m["content"].encode()) for m in messages)
    )
    template = (model.chat_template or "").encode()
    room = 4096
    buffer = ctypes.create_string_buffer(room)
    count = lib.llama_chat_apply_template(template, chat, len(messages), prompt, buffer, room)
    return buffer.raw[:count].decode("utf-8", errors="replace") if 0 <= count <= room else None
