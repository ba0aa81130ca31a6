"""An open model: its weights, one context, its tokenizer and its chat template."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Unpack

from zoo.errors import ModelFileError, ZooError
from zoo.gguf.header import Header, read_header
from zoo.llama import library, opening
from zoo.llama.library import Context, Vocabulary
from zoo.llama.opening import Shape, Wanted
from zoo.templates.renderer import Renderer


@dataclass(frozen=True)
class Model:
    """An open model. Use ``Model.open(...)``; the pointers are only valid in that block.

    context_tokens: room of each sequence. parallel: number of sequences, each with its own key-value stream.
    batch_tokens: most tokens that one decode takes. flash: attention is computed in one pass.
    """

    path: Path
    header: Header
    context_tokens: int
    parallel: int
    batch_tokens: int
    lib: ModuleType
    vocab: Vocabulary
    context: Context
    flash: bool = False

    @classmethod
    @contextmanager
    def open(cls, path: Path, **wanted: Unpack[Wanted]) -> Iterator[Model]:
        """Load ``path`` (memory-mapped, on the CPU unless asked) and make one context (``Shape``); all is freed at the
        end.

        Raises ModelFileError naming the file and llama.cpp's reason, MissingExtra without llama.cpp.
        """
        with cls.open_several(path, 1, **wanted) as (model,):
            yield model

    @classmethod
    @contextmanager
    def open_several(cls, path: Path, count: int, **wanted: Unpack[Wanted]) -> Iterator[tuple[Model, ...]]:
        """The same with ``count`` contexts, which share the weights. Each may be used in a thread of its own."""
        shape = Shape(**wanted)
        lib = library.require()
        header = read_header(path)
        params = opening.model_params(lib, shape.device, fast=shape.fast)
        with opening.open_weights(lib, path, params) as pointer, ExitStack() as opened:
            vocab = lib.llama_model_get_vocab(pointer)
            adapter = opening.load_adapter(lib, pointer, shape.adapter)
            size = max(shape.batch_tokens, shape.parallel)
            models = []
            for _ in range(count):
                context = opening.make_context(lib, pointer, path, shape)
                opened.callback(lib.llama_free, context)
                if adapter is not None:
                    opening.add_adapter(lib, context, adapter)
                room = lib.llama_n_ctx_seq(context)
                models.append(cls(path, header, room, shape.parallel, size, lib, vocab, context, shape.flash))
                opened.callback(models[-1]._close)
            yield tuple(models)

    def _close(self) -> None:
        """End the process that renders, if there is one."""
        if "_renderer" in vars(self):
            self._renderer.close()

    @classmethod
    @contextmanager
    def open_vocabulary(cls, path: Path) -> Iterator[Model]:
        """Load only the vocabulary of ``path``, which may have no weights. What decodes must not be called.

        Raises as ``open`` does.
        """
        lib = library.require()
        header = read_header(path, vocabulary_only=True)
        with opening.open_weights(lib, path, opening.model_params(lib, "cpu", vocabulary_only=True)) as pointer:
            yield cls(path, header, 0, 0, 0, lib, lib.llama_model_get_vocab(pointer), Context(None))

    @cached_property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return int(self.lib.llama_vocab_n_tokens(self.vocab))

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """The ids that end a generation (end of text, end of turn, ...)."""
        is_end = self.lib.llama_vocab_is_eog
        return frozenset(token for token in range(self.vocabulary_size) if is_end(self.vocab, token))

    @cached_property
    def control_tokens(self) -> dict[str, int]:
        """The ids of the markers that ``parse_special`` makes tokens of, by their text."""
        wanted = self.lib.LLAMA_TOKEN_ATTR_CONTROL | self.lib.LLAMA_TOKEN_ATTR_UNKNOWN
        attribute = self.lib.llama_vocab_get_attr
        ids = [token for token in range(self.vocabulary_size) if attribute(self.vocab, token) & wanted]
        return {text: token for token in reversed(ids) if (text := self.text_of(token))}

    @cached_property
    def bos(self) -> int:
        """The begin-of-text token's id; -1 if there is none."""
        return int(self.lib.llama_vocab_bos(self.vocab))

    @cached_property
    def adds_bos(self) -> bool:
        """Whether this vocabulary requires a text to begin with ``bos``."""
        return bool(self.lib.llama_vocab_get_add_bos(self.vocab))

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of ``text``. add_special: begin and end markers as the model requires. parse_special:
        markers written in the text become their token; leave it off for text that is not a rendered template.
        """
        raw = text.encode("utf-8")
        room = len(raw) + 8
        while True:
            buffer = (ctypes.c_int32 * room)()
            count = self.lib.llama_tokenize(
                self.vocab, raw, len(raw), buffer, room, add_special, parse_special
            )
            if count >= 0:
                return list(buffer[:count])
            room = -count

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        """The bytes of ``tokens``; ``special`` also writes markers. May end inside a UTF-8
        character.
        """
        ids = (ctypes.c_int32 * max(1, len(tokens)))(*tokens)
        room = 8 * len(tokens) + 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self.lib.llama_detokenize(self.vocab, ids, len(tokens), buffer, room, False, special)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    @cached_property
    def chat_template(self) -> str | None:
        """The Jinja text of the file's default chat template; None if it has none."""
        template = self.header.metadata.get("tokenizer.chat_template")
        return template if isinstance(template, str) else None

    @cached_property
    def _renderer(self) -> Renderer:
        if self.chat_template is None:
            raise ModelFileError(
                f"{self.path.name} has no chat template",
                remedy="Convert the model again from a folder whose tokenizer has a chat template",
            )
        return Renderer(self.chat_template, special=self.special_texts, source=self.path.name)

    def render(self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True) -> str:
        """The prompt text of a conversation. Raises ModelFileError without a template or if it cannot be
        rendered.
        """
        return self._renderer.render(messages, add_generation_prompt=add_generation_prompt)

    @property
    def read_clock(self) -> bool:
        """Whether a rendered conversation contains the date."""
        return "_renderer" in vars(self) and self._renderer.read_clock

    @property
    def special_texts(self) -> dict[str, str]:
        """The texts of special tokens for a template, by the names that templates use."""
        return {
            "bos_token": self.text_of(self.bos),
            "eos_token": self.text_of(int(self.lib.llama_vocab_eos(self.vocab))),
        }

    def text_of(self, token: int) -> str:
        """How the vocabulary writes a token; "" for no token."""
        if token < 0:
            return ""
        return str(self.lib.llama_vocab_get_text(self.vocab, token).decode("utf-8", errors="replace"))

    def clear(self) -> None:
        """Clear every sequence."""
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), False)

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """One decode of (token, position, sequence, needs logits) rows; at most ``batch_tokens`` of them.

        Raises ZooError if llama.cpp refuses.
        """
        batch = self.lib.llama_batch_init(len(rows), 0, 1)
        try:
            batch.n_tokens = len(rows)
            for index, (token, position, sequence, wanted) in enumerate(rows):
                batch.token[index] = token
                batch.pos[index] = position
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = sequence
                batch.logits[index] = wanted
            with library.hearing() as heard:
                code = self.lib.llama_decode(self.context, batch)
        finally:
            self.lib.llama_batch_free(batch)
        if code != 0:
            reason = heard.error() or f"code {code}"
            raise ZooError(f"llama.cpp could not decode with {self.path.name}: {reason}")
