"""An open model: its weights, one context, its tokenizer and its chat template."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from zoo.errors import InputError, ModelFileError, ZooError
from zoo.llama import library
from zoo.llama.header import Header, read_header

FLOOR_TOKENS = 256
"""llama.cpp rounds a sequence's context up to a multiple of this."""


@dataclass(frozen=True)
class Model:
    """An open model. Use ``Model.open(...)``; the pointers die with that block.

    context_tokens: room of each sequence. parallel: number of sequences, each with a key-value stream of its
    own. batch_tokens: most tokens that one decode takes.
    """

    path: Path
    header: Header
    context_tokens: int
    parallel: int
    batch_tokens: int
    lib: Any
    vocab: Any
    context: Any

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        *,
        threads: int,
        context_tokens: int,
        parallel: int = 1,
        batch_tokens: int = 128,
        unified: bool = False,
        observer: Any = None,
    ) -> Iterator[Model]:
        """Load ``path`` (memory-mapped, on the CPU) and make one context; everything is freed at the end.

        unified: all sequences share one key-value cache of ``context_tokens`` in all, so that a prefix can be kept
        once for many; a row's last bits then depend on the rows beside it.
        observer: a C callback that sees the graph while it is computed (``zoo.llama.calibrate``), or None.
        Raises ModelFileError naming the file and llama.cpp's reason, MissingExtra without llama.cpp.
        """
        lib = library.require()
        header = read_header(path)
        library.forget_log()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        params.load_mode = lib.LLAMA_LOAD_MODE_MMAP
        # Repacked weights would be a second copy in memory, and their kernels' sums depend on the batch's
        # width.
        params.use_extra_bufts = False
        pointer = lib.llama_model_load_from_file(str(path).encode(), params)
        if not pointer:
            _refuse(path)
        try:
            context = _context(
                lib, pointer, path, threads, context_tokens, parallel, batch_tokens, unified, observer
            )
            try:
                vocab = lib.llama_model_get_vocab(pointer)
                size = max(batch_tokens, parallel)
                room = lib.llama_n_ctx_seq(context)
                yield cls(path, header, room, parallel, size, lib, vocab, context)
            finally:
                lib.llama_free(context)
        finally:
            lib.llama_model_free(pointer)

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
    def bos(self) -> int:
        """The begin-of-text token's id; -1 if there is none."""
        return int(self.lib.llama_vocab_bos(self.vocab))

    @cached_property
    def adds_bos(self) -> bool:
        """Whether this vocabulary wants a text to begin with ``bos``."""
        return bool(self.lib.llama_vocab_get_add_bos(self.vocab))

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of ``text``. add_special: begin and end markers as the model wants them. parse_special:
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
        """The bytes that ``tokens`` stand for; ``special`` also writes markers. May end inside a UTF-8
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

    def render(self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True) -> str:
        """The prompt text of a conversation. Raises ModelFileError without a template or if it cannot be
        rendered.
        """
        if self.chat_template is None:
            raise ModelFileError(
                f"{self.path.name} has no chat template",
                remedy="Convert the model again from a folder whose tokenizer has a chat template",
            )
        return render_template(
            self.chat_template,
            messages,
            bos=self.text_of(self.bos),
            eos=self.text_of(int(self.lib.llama_vocab_eos(self.vocab))),
            add_generation_prompt=add_generation_prompt,
        )

    def text_of(self, token: int) -> str:
        """How the vocabulary writes a token; "" for no token."""
        if token < 0:
            return ""
        return str(self.lib.llama_vocab_get_text(self.vocab, token).decode("utf-8", errors="replace"))

    def clear(self) -> None:
        """Forget every sequence."""
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), False)

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """One decode of (token, position, sequence, wants logits) rows; at most ``batch_tokens`` of them.

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
            code = self.lib.llama_decode(self.context, batch)
        finally:
            self.lib.llama_batch_free(batch)
        if code != 0:
            reason = library.last_error() or f"code {code}"
            raise ZooError(f"llama.cpp could not decode with {self.path.name}: {reason}")


def render_template(
    template: str, messages: Sequence[Mapping[str, str]], *, bos: str, eos: str, add_generation_prompt: bool
) -> str:
    """Render a chat template in jinja2's immutable sandbox, set up as transformers and llama-cpp-python do.

    The clock is fixed (1970-01-01), so that the same conversation always gives the same prompt.
    Raises ModelFileError with the template's own complaint or jinja2's.
    """
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_generation_tag(), jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    try:
        return environment.from_string(template).render(
            messages=[dict(message) for message in messages],
            bos_token=bos,
            eos_token=eos,
            add_generation_prompt=add_generation_prompt,
            raise_exception=_raise,
            strftime_now=_fixed_clock,
            tools=None,
            functions=None,
            function_call=None,
            tool_choice=None,
        )
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise ModelFileError(f"the chat template cannot be rendered: {error}") from error


def _generation_tag() -> Any:
    """Transformers' ``{% generation %}`` block marks the assistant's text for training; here it is its
    content.
    """
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012  # jinja2's own declaration is an instance attribute

        def parse(self, parser: Any) -> Any:
            parser.stream.skip(1)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return GenerationTag


def _tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _fixed_clock(form: str) -> str:
    import time

    return time.strftime(form, time.gmtime(0))


def _context(
    lib: Any,
    pointer: Any,
    path: Path,
    threads: int,
    context_tokens: int,
    parallel: int,
    batch_tokens: int,
    unified: bool,
    observer: Any,
) -> Any:
    if threads < 1 or context_tokens < 1 or parallel < 1 or batch_tokens < 1:
        raise InputError("threads, context_tokens, parallel and batch_tokens must be at least 1")
    if parallel > lib.llama_max_parallel_sequences():
        raise InputError(
            f"{parallel} rows are more than the {lib.llama_max_parallel_sequences()} of llama.cpp"
        )
    params = lib.llama_context_default_params()
    params.n_ctx = -(-context_tokens // FLOOR_TOKENS) * FLOOR_TOKENS * (1 if unified else parallel)
    params.n_batch = params.n_ubatch = max(batch_tokens, parallel)
    params.n_seq_max = parallel
    params.n_threads = params.n_threads_batch = threads
    # Flash attention splits its sums by thread count; a unified cache mixes the rows of a batch. Both change
    # bytes.
    params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.kv_unified = unified
    params.no_perf = True
    if observer is not None:
        params.cb_eval = observer
    context = lib.llama_init_from_model(pointer, params)
    if not context:
        _refuse(path)
    return context


def _refuse(path: Path) -> NoReturn:
    raise ModelFileError(
        f"llama.cpp cannot load {path.name}: {library.last_error() or 'it gave no reason'}",
        where=str(path),
        remedy="Check that it is a language model of an architecture that the installed llama.cpp knows",
    )
