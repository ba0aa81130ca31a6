"""An exported file as llama.cpp sees it, for the parity check against the folder that it was made from."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.llama.logits import window_logits
from zoo.llama.model import Model
from zoo.parity.material import CONVERSATIONS, STRINGS, TEXTS
from zoo.parity.seen import Rendering, Seen
from zoo.progress import Advance, unheard


@dataclass(frozen=True)
class FileSeen:
    """The file's side. own: the renderings of this project's own code, which made the probes and the labels.

    turn_ends: ids of what the template writes after the last answer; None without a template. built_in: whether the
    renderer inside llama.cpp, which runs no template but knows some by sight, writes the same: "same", "other" or
    "unknown".
    """

    seen: Seen
    own: tuple[Rendering, ...]
    turn_ends: tuple[int, ...] | None
    built_in: str


def look(path: Path, texts: Sequence[Sequence[int]], *, threads: int, advance: Advance = unheard) -> FileSeen:
    """Tokens, renderings, and the logits of ``texts`` (ids of the other side); ``advance`` is told of each text.

    Raises ModelFileError for a file that does not load.
    """
    longest = max(map(len, texts), default=1)
    with Model.open(path, threads=threads, context_tokens=longest) as model:
        tokens = [model.tokenize(text, add_special=False, parse_special=True) for text in STRINGS]
        ends = model.end_tokens
        shown = [(messages, prompt) for messages in CONVERSATIONS for prompt in (False, True)]
        used = [_as_used(model, messages, prompt) for messages, prompt in shown]
        logits = []
        for ids in texts:
            known = all(token < model.vocabulary_size for token in ids)
            logits.append(window_logits(model, ids if known else [0] * len(ids)))
            advance(1)
        seen = Seen(
            side="the GGUF file",
            tokens=tokens,
            whole=[model.tokenize(text, add_special=True, parse_special=True) for text in STRINGS],
            decoded=[model.detokenize(ids, special=True) for ids in tokens],
            texts=[model.tokenize(text, add_special=True, parse_special=True) for text in TEXTS],
            logits=logits,
            renderings=used,
            ends=ends,
            name_of=lambda token: names.get(token, ""),
        )
        names = {token: _name(model, token) for token in _mentioned(seen)}
        own = tuple(_own(model, messages, prompt) for messages, prompt in shown)
        return FileSeen(seen, own, _turn_ends(model, own), _built_in(model, shown, used))


def _mentioned(seen: Seen) -> set[int]:
    """Every id that a sentence may name; the model is closed by then."""
    found = {token for ids in (*seen.tokens, *seen.whole, *seen.texts) for token in ids} | set(seen.ends)
    for rows in seen.logits:
        found |= {int(token) for token in rows.argmax(axis=1)}
    return found


def _name(model: Model, token: int) -> str:
    return model.detokenize([token], special=True).decode("utf-8", errors="replace")


def _own(model: Model, messages: Sequence[Mapping[str, str]], prompt: bool) -> Rendering:
    try:
        return Rendering(model.render(messages, add_generation_prompt=prompt))
    except ZooError as error:
        return Rendering(None, error.what)


def _as_used(model: Model, messages: Sequence[Mapping[str, str]], prompt: bool) -> Rendering:
    """As llama-cpp-python renders the file's template when people chat with it, the clock at 1970-01-01."""
    import jinja2
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    if model.chat_template is None:
        return Rendering(None, "there is no chat template")
    try:
        formatter: Any = Jinja2ChatFormatter(
            model.chat_template,
            eos_token=model.text_of(int(model.lib.llama_vocab_eos(model.vocab))),
            bos_token=model.text_of(model.bos),
            add_generation_prompt=prompt,
        )
        formatter.strftime_now = lambda form: time.strftime(form, time.gmtime(0))
        return Rendering(str(formatter(messages=[dict(message) for message in messages]).prompt))
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        return Rendering(None, str(error))


def _turn_ends(model: Model, own: Sequence[Rendering]) -> tuple[int, ...] | None:
    """Ids of what stands after the answer that ends the last conversation."""
    text = own[-2].text
    if text is None:
        return None
    answer = CONVERSATIONS[-1][-1]["content"]
    tail = text.rpartition(answer)[2]
    return tuple(model.tokenize(tail, add_special=False, parse_special=True))


def _built_in(
    model: Model, shown: Sequence[tuple[Sequence[Mapping[str, str]], bool]], used: Sequence[Rendering]
) -> str:
    """What ``llama_chat_apply_template`` makes of the conversations that the template renders."""
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
