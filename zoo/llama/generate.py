"""Many prompts together, each with the same answer as if it were alone.

How a row's bytes stay independent of the other rows, of their order and of where a run was interrupted:

- every sequence has its own key-value stream (no unified cache);
- flash attention is off, or no decode is a single token of one sequence: it would divide the sums among its threads;
- a prompt is read by itself, in pieces of ``batch_tokens``;
- so is the beginning that a job names as shared, whether or not another job has read it before: it is kept in a
  sequence of its own and copied;
- every later decode is exactly ``batch_rows`` wide: an idle slot reads a dummy token whose cache entry is removed
  immediately. Without this the matrix kernels change with the width, and with them the last bits of a
  logit;
- every job has a sampler chain with its own seed, and each chain sees only its own row.

``batch_rows`` itself, the model file, llama.cpp's version and the CPU's instruction set may change the bytes.
The price is that a nearly empty batch costs as much as a full one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from zoo.errors import InputError, ModelFileError
from zoo.llama import grammar
from zoo.llama import prompt as prompts
from zoo.llama.library import Sampler
from zoo.llama.model import Model
from zoo.progress import Advance, Reporter, Silent

FLASH_TOKENS = 2
"""The fewest tokens of a prompt that flash attention reads together (ggml_compute_forward_flash_attn_ext_f16)."""
SHARED_TOKENS = 8
"""A shorter beginning is read with its prompt: copying it would take as long as reading it."""


@dataclass(frozen=True)
class Job:
    """A request for one answer.

    prompt_text: a conversation as ``zoo.llama.prompt`` renders it (the template's markers become tokens).
    temperature 0 takes the most probable token each time; then top_p and seed (0 to 2^32 - 1) do not matter.
    json_schema: the answer must be JSON of this schema.
    forced: ids that the answer must begin with, whatever the model would write; they can end it like any other token.
    shared_text: with what prompt_text begins and other prompts too, such as the system prompt; "" for nothing.
    """

    key: str
    prompt_text: str
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    json_schema: Mapping[str, object] | None = None
    forced: tuple[int, ...] = ()
    shared_text: str = ""


@dataclass(frozen=True)
class Result:
    """tokens: the ids of the answer, without the one that ended it. finish: "stop" (the model ended) or
    "length".
    """

    key: str
    text: str
    tokens: tuple[int, ...]
    finish: str
    prompt_tokens: int


@dataclass
class _Row:
    """A job in its slot; ``position`` is where its last token goes. sampler: None to take the likeliest token."""

    job: Job
    sampler: Sampler | None
    prompt_tokens: int
    position: int
    tokens: list[int] = field(default_factory=list)
    finish: str = ""


@dataclass
class _Beginning:
    """The shared beginning of prompts that was read last. sequence: where it is kept; None if there is no room."""

    sequence: int | None
    tokens: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, model: Model, batch_rows: int) -> _Beginning:
        """In the sequence after those of the rows. A model with a state instead of a cache has nothing to copy."""
        pointer = model.lib.llama_get_model(model.context)
        has_state = model.lib.llama_model_is_recurrent(pointer) or model.lib.llama_model_is_hybrid(pointer)
        return cls(None if has_state or model.parallel <= batch_rows else batch_rows)

    def copy(self, model: Model, slot: int, job: Job, prompt: list[int]) -> int:
        """Put the beginning that ``job`` names into the slot; returns its number of tokens."""
        if self.sequence is None or not job.shared_text:
            return 0
        wanted = prompts.tokens(model, job.shared_text)
        rest = len(prompt) - len(wanted)
        if len(wanted) < SHARED_TOKENS or rest < _least(model) or prompt[: len(wanted)] != wanted:
            return 0
        if wanted != self.tokens:
            self.tokens = []
            _forget(model, self.sequence)
            _read(model, self.sequence, wanted, 0, with_logits=False)
            self.tokens = wanted
        model.lib.llama_memory_seq_cp(model.lib.llama_get_memory(model.context), self.sequence, slot, -1, -1)
        return len(wanted)


def generate(
    model: Model,
    jobs: Iterable[Job],
    *,
    batch_rows: int,
    report: Reporter | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Answer every job, ``batch_rows`` at a time; results come as they finish, so not in the order of the
    jobs. It ends before the next token once ``stopped`` is true.

    The model must have been opened with ``parallel >= batch_rows``; with one more, beginnings of prompts are shared.
    Raises InputError for a job that does not fit the context or whose schema cannot be a grammar, ZooError if
    llama.cpp fails. Results that were already yielded stay valid.
    """
    if not 1 <= batch_rows <= model.parallel:
        raise InputError(f"batch_rows is {batch_rows}, but the model was opened for {model.parallel}")
    if batch_rows < _least(model):
        raise InputError("flash attention needs a batch of at least two rows, because one alone depends on the threads")
    slots: list[_Row | None] = [None] * batch_rows
    waiting = iter(jobs)
    model.clear()
    beginning = _Beginning.of(model, batch_rows)
    with (report or Silent()).task("Generating", None, "tokens") as advance:
        try:
            while not stopped():
                yield from _fill(model, slots, waiting, beginning, advance)
                if not any(slots):
                    return
                _step(model, slots, advance)
                yield from _finished(model, slots)
        finally:
            for row in slots:
                if row is not None:
                    _free(model, row)


def _fill(
    model: Model, slots: list[_Row | None], waiting: Iterator[Job], beginning: _Beginning, advance: Advance
) -> Iterator[Result]:
    """Start jobs in the free slots; a job may end with its first token."""
    while None in slots:
        job = next(waiting, None)
        if job is None:
            return
        slot = slots.index(None)
        slots[slot] = _start(model, slot, job, beginning)
        advance(1)
        yield from _finished(model, slots)


def _start(model: Model, slot: int, job: Job, beginning: _Beginning) -> _Row:
    """Read the prompt by itself and take the first token."""
    prompt = prompts.tokens(model, job.prompt_text)
    _check(model, job, len(prompt))
    row = _Row(job, _sampler(model, job), len(prompt), len(prompt) - 1)
    try:
        _forget(model, slot)
        shared = beginning.copy(model, slot, job, prompt)
        _read(model, slot, prompt[shared:], shared, with_logits=True)
        _take(model, row, -1)
    except BaseException:
        _free(model, row)
        raise
    return row


def _read(model: Model, sequence: int, tokens: list[int], position: int, *, with_logits: bool) -> None:
    """Read tokens from ``position`` on, in pieces. with_logits: of the last one."""
    last = len(tokens) - 1 if with_logits else len(tokens)
    start = 0
    for size in pieces(len(tokens), model.batch_tokens, _least(model)):
        part = tokens[start : start + size]
        model.decode([(token, position + start + i, sequence, start + i == last) for i, token in enumerate(part)])
        start += size


def _least(model: Model) -> int:
    """The fewest tokens of a prompt that may be read together."""
    return FLASH_TOKENS if model.flash else 1


def pieces(tokens: int, most: int, least: int) -> Iterator[int]:
    """Sizes that add up to ``tokens``, each of ``most`` as far as it goes, none smaller than ``least`` unless all
    together are.
    """
    while tokens > most:
        size = most if tokens - most >= least else most - least
        yield size
        tokens -= size
    if tokens:
        yield tokens


def _check(model: Model, job: Job, prompt_tokens: int) -> None:
    if job.max_tokens < 1 or job.temperature < 0 or not 0 < job.top_p <= 1 or not 0 <= job.seed < 1 << 32:
        raise InputError(f"job {job.key!r}: max_tokens, temperature, top_p or seed is out of range")
    if prompt_tokens == 0:
        raise InputError(f"job {job.key!r} has an empty prompt")
    if prompt_tokens + job.max_tokens > model.context_tokens:
        raise InputError(
            f"job {job.key!r} has a prompt of {prompt_tokens} tokens and asks for {job.max_tokens} more, "
            f"but a row has {model.context_tokens}",
            remedy="Shorten the prompt, lower max_tokens or open the model with more context",
        )


def _step(model: Model, slots: list[_Row | None], advance: Advance) -> None:
    """One token for every row, in one decode of constant width."""
    dummy = max(model.bos, 0)
    model.decode(
        [
            (row.tokens[-1], row.position, slot, True) if row else (dummy, 0, slot, True)
            for slot, row in enumerate(slots)
        ]
    )
    active = 0
    for slot, row in enumerate(slots):
        if row is None:
            _forget(model, slot)
        else:
            active += 1
            _take(model, row, slot)
    advance(active)


def _take(model: Model, row: _Row, output: int) -> None:
    """Choose a token from output ``output`` of the last decode (-1: the last one)."""
    forced = row.job.forced[len(row.tokens)] if len(row.tokens) < len(row.job.forced) else None
    likeliest = _likeliest(model, row.job, output) if forced is None else forced
    if row.sampler is None:
        token = likeliest
    else:
        if forced is not None:
            _force(model, forced, output)
        token = int(model.lib.llama_sampler_sample(row.sampler, model.context, output))
    if token in model.end_tokens:
        row.finish = "stop"
        return
    row.tokens.append(token)
    row.position += 1
    if len(row.tokens) == row.job.max_tokens:
        row.finish = "length"


def _likeliest(model: Model, job: Job, output: int) -> int:
    """The token with the highest logit, the first one of several: the choice of llama.cpp's greedy sampler, which first
    copies all logits.

    Raises ModelFileError if that logit is NaN or infinite: samplers take any token of such logits, and the one of a
    grammar ends the process. Minus infinity at other tokens is what the model rules out.
    """
    import numpy as np  # only where llama.cpp is, which needs it: this module is imported without it

    pointer = model.lib.llama_get_logits_ith(model.context, output)
    logits = np.ctypeslib.as_array(pointer, (model.vocabulary_size,))
    token = int(logits.argmax())
    if not math.isfinite(logits[token]):
        raise ModelFileError(
            f"{model.path.name} computes values that are NaN or infinite, in the answer to {job.prompt_text[-80:]!r}",
            safe="The answers made so far are kept.",
            remedy="Its weights are damaged or overflow: get or build it again",
        )
    return token


def _force(model: Model, token: int, output: int) -> None:
    """Make ``token`` the only one that can be sampled from output ``output``."""
    pointer = model.lib.llama_get_logits_ith(model.context, output)
    for other in range(model.vocabulary_size):
        pointer[other] = 0.0 if other == token else -math.inf


def _finished(model: Model, slots: list[_Row | None]) -> Iterator[Result]:
    for slot, row in enumerate(slots):
        if row is not None and row.finish:
            slots[slot] = None
            _free(model, row)
            _forget(model, slot)
            text = model.detokenize(row.tokens).decode("utf-8", errors="replace")
            yield Result(row.job.key, text, tuple(row.tokens), row.finish, row.prompt_tokens)


def _forget(model: Model, slot: int) -> None:
    model.lib.llama_memory_seq_rm(model.lib.llama_get_memory(model.context), slot, -1, -1)


def _free(model: Model, row: _Row) -> None:
    if row.sampler is not None:
        model.lib.llama_sampler_free(row.sampler)


def _sampler(model: Model, job: Job) -> Sampler | None:
    """The job's chain: grammar, then greedy or top-p, temperature and a seeded draw. None for the likeliest token of
    all."""
    if job.json_schema is None and job.temperature == 0:
        return None
    lib = model.lib
    chain: Sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    try:
        if job.json_schema is not None:
            lib.llama_sampler_chain_add(chain, grammar.sampler(model, job.json_schema))
        if job.temperature == 0:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        else:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(job.top_p, 1))
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(job.temperature))
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(job.seed))
    except BaseException:
        lib.llama_sampler_free(chain)
        raise
    return chain
