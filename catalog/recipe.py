"""A recipe: *what* to release. No device, token, namespace or local path; those are settings.

The JSON Schema ``schemas/recipe-v1.schema.json`` holds every rule and every default. ``catalog.checks`` validates a
file against it and fills the defaults in; only then does a mapping become these frozen types.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 1
"""The value of a recipe's first key, ``zoo:``."""


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    source: ``package:MODULE/FILE``, ``file:PATH`` (relative to the zoo), ``hf:ORG/NAME@REVISION``,
    ``hf:ORG/NAME/FILE.gguf@REVISION``, or of a teacher ``server:MODEL``.
    sha256: pin of a single file; an ``hf:`` source is pinned file by file in the lock file instead.
    upstream: the Hub repository that the weights come from, for the card's ``base_model``.
    """

    source: str
    licence: str
    sha256: str | None
    upstream: str | None
    parameters: int | None
    size_bytes: int | None
    note: str | None


@dataclass(frozen=True)
class Student(Source):
    """``layers``: the layers of the source that are kept, in order (depth pruning); None keeps all."""

    layers: tuple[int, ...] | None


@dataclass(frozen=True)
class CorpusFile:
    """One file of the zoo: text (``.txt``), prompts or conversations (``.jsonl``), with where it comes from."""

    path: str
    licence: str
    source: str
    language: str | None


@dataclass(frozen=True)
class TuneCorpus:
    """Files of conversations with answers: those that a teacher learns, and those that it is measured on.

    overlap_accepted: why they may be nearly the same as what is measured on.
    """

    train: tuple[CorpusFile, ...]
    heldout: tuple[CorpusFile, ...]
    overlap_accepted: str | None


@dataclass(frozen=True)
class Tune:
    """How a teacher is trained before a student learns from its probabilities.

    corpus: None for its own answers, which it gives before; else it is trained first, and answers afterwards. Every
    other field is one of ``Distill``, with the same meaning.
    """

    adapter: str
    preset: str
    steps: int
    batch_rows: int
    row_tokens: int
    learning_rate: float
    warmup_steps: int
    seed: int
    checkpoint_every_steps: int
    micro_tokens: int | None = dataclasses.field(metadata={"later": True})
    gradient_checkpointing: bool | None = dataclasses.field(metadata={"later": True})
    corpus: TuneCorpus | None = dataclasses.field(metadata={"later": True})


@dataclass(frozen=True)
class Teacher(Source):
    """``dtype``: ``source`` keeps the weights as they are stored, in 16 bits; None converts them as a student's are.
    ``engine``: what computes the logits that the student learns from, or the kind of server that gives them; None for
    torch. ``tune``: None for a teacher as it is."""

    dtype: str | None = dataclasses.field(metadata={"later": True})
    engine: str | None = dataclasses.field(metadata={"later": True})
    tune: Tune | None = dataclasses.field(metadata={"later": True})


@dataclass(frozen=True)
class Share:
    """A share of the prompts that a label must have. waived: why it need not be met."""

    share: str
    at_least: float | None
    at_most: float | None
    waived: str | None


@dataclass(frozen=True)
class Corpus:
    """train and heldout hold prompts; evaluation and calibration hold plain text. All four are disjoint.

    overlap_accepted: why training prompts may be nearly the same as what the model is measured on."""

    train: tuple[CorpusFile, ...]
    heldout: tuple[CorpusFile, ...]
    evaluation: tuple[CorpusFile, ...]
    calibration: tuple[CorpusFile, ...]
    coverage: tuple[Share, ...]
    overlap_accepted: str | None

    @property
    def parts(self) -> Mapping[str, tuple[CorpusFile, ...]]:
        """The files of every part by its name."""
        return {
            "train": self.train,
            "heldout": self.heldout,
            "evaluation": self.evaluation,
            "calibration": self.calibration,
        }


@dataclass(frozen=True)
class Label:
    """How the teacher answers the prompts, through llama.cpp or a server.

    redact: how personal data in prompts and answers is treated before they are learnt and released: ``automatic``, or
    ``reviewed`` by a person, who signs; None for not at all. repack: whether the processor's fast kernels answer.
    """

    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    batch_rows: int
    retries: int
    system: str | None
    redact: str | None = dataclasses.field(metadata={"later": True})
    repack: bool | None = dataclasses.field(metadata={"later": True})


@dataclass(frozen=True)
class DistillLoss:
    """How far the student is from the teacher's probabilities (``catalog.losses``).

    beta: the teacher's share of the mixture, for the kinds that have one. chunk_positions: how many positions have
    their logits in memory at the same time; None for what suits the device.
    """

    kind: str
    beta: float | None
    chunk_positions: int | None


@dataclass(frozen=True)
class Distill:
    """How the student learns from the teacher.

    method: ``logits`` (teacher's top-k log-probabilities) or ``labels`` (the teacher's text only).
    batch_rows conversations of at most row_tokens tokens make one optimizer step.
    temperature divides both models' logits; learning_rate is the peak after warmup_steps, then a cosine to zero.
    loss: None for the forward KL divergence of all positions together. micro_tokens: the step's conversations are taken
    in parts of at most so many tokens, padding included; None for all together. gradient_checkpointing: a layer's
    intermediate results are computed again for its gradient instead of being kept; None or True.
    """

    method: str
    adapter: str
    preset: str
    steps: int
    batch_rows: int
    row_tokens: int
    learning_rate: float
    warmup_steps: int
    top_k: int
    temperature: float
    seed: int
    checkpoint_every_steps: int
    loss: DistillLoss | None = dataclasses.field(metadata={"later": True})
    micro_tokens: int | None = dataclasses.field(metadata={"later": True})
    gradient_checkpointing: bool | None = dataclasses.field(metadata={"later": True})


@dataclass(frozen=True)
class Export:
    """The GGUF that every quant is made from."""

    type: str


@dataclass(frozen=True)
class Parity:
    """Checks of the exported file against its model folder that may fail: tokenizer, parameters,
    logits, template, end_of_turn, source.
    """

    allow: tuple[str, ...]


@dataclass(frozen=True)
class TensorOverride:
    """Tensors whose name matches the pattern ``tensors`` get ``type``, whatever the ladder's file type says."""

    tensors: str
    type: str


@dataclass(frozen=True)
class Fits:
    """A device profile, and the context that must fit its memory together with the weights."""

    device: str
    context_tokens: int


@dataclass(frozen=True)
class Budget:
    """A file with the least measured loss within a limit. bytes: whole bytes or text such as ``92MB``, or ``fits``.

    name: the file's type label, None for one made from the limit (``catalog.budgets``).
    """

    name: str | None
    bytes: str | None
    fits: Fits | None


@dataclass(frozen=True)
class Quantize:
    """The ladder, and whether a tensor whose rows do not divide may fall back to another type, and byte budgets.

    imatrix: weigh errors by an importance matrix; None means: when there is calibration text. The first override
    that matches a tensor decides.
    """

    ladder: tuple[str, ...]
    allow_fallback: bool
    imatrix: bool | None
    imatrix_window_tokens: int
    overrides: tuple[TensorOverride, ...]
    budgets: tuple[Budget, ...]


@dataclass(frozen=True)
class Evaluate:
    """KLD and perplexity over ``windows`` windows of ``window_tokens``; the second half of each window is scored.

    until: ``decided`` to stop as soon as gates, comparisons and recommendations are settled. relative_error: to stop as
    soon as the mean KLD of every file is known to within this share of itself. None for all windows.
    """

    window_tokens: int
    windows: int
    smoke_max_tokens: int
    until: str | None = dataclasses.field(metadata={"later": True})
    relative_error: float | None = dataclasses.field(metadata={"later": True})


@dataclass(frozen=True)
class Benchmark:
    """Speed of every file: prompt_tokens read, then decode_tokens written, samples times after one warm-up."""

    prompt_tokens: int
    decode_tokens: int
    samples: int


@dataclass(frozen=True)
class ProbeChoice:
    """A task probe for every file: how many items, drawn with the seed."""

    probe: str
    items: int
    seed: int


@dataclass(frozen=True)
class Gate:
    """A bound that the release must meet. The worse end of the interval (two standard errors) is judged.

    file: the quant, or the exported file (``F16``), that it applies to; None means every quant of the ladder, or the
    release as a whole.
    """

    metric: str
    file: str | None
    at_most: float | None
    at_least: float | None


@dataclass(frozen=True)
class GateQuestion:
    """What people are asked before they can read a gated repository; answer is the Hub's word for its kind."""

    question: str
    answer: str


@dataclass(frozen=True)
class Publish:
    """Repository names on the hub, without namespace; None for dataset means no dataset.

    access: ``public``, ``gated-auto``, ``gated-manual`` or ``private``; None leaves the repositories as they are.
    """

    model: str
    dataset: str | None
    access: str | None
    gate_prompt: str | None
    gate_questions: tuple[GateQuestion, ...]


@dataclass(frozen=True)
class Recipe:
    """One release, as its author describes it. maturity: a word of ``catalog.maturity``."""

    zoo: int
    name: str
    version: str
    date: str
    summary: str
    task: str
    languages: tuple[str, ...]
    licence: str
    licence_files: tuple[str, ...]
    licence_name: str | None
    licence_link: str | None
    owners: tuple[str, ...]
    notes: tuple[str, ...]
    good_at: tuple[str, ...]
    bad_at: tuple[str, ...]
    maturity: str
    context_tokens: int | None
    student: Student
    teacher: Teacher | None
    corpus: Corpus
    label: Label | None
    distill: Distill | None
    export: Export
    parity: Parity
    quantize: Quantize
    evaluate: Evaluate
    benchmark: Benchmark
    probes: tuple[ProbeChoice, ...]
    gates: tuple[Gate, ...]
    publish: Publish

    @property
    def tune(self) -> Tune | None:
        """How the teacher is trained; None without a teacher, and for one as it is."""
        return self.teacher.tune if self.teacher else None

    @property
    def data(self) -> Mapping[str, tuple[CorpusFile, ...]]:
        """Every file of data by its part: those of the corpus, then ``tune.train`` and ``tune.heldout``."""
        own = self.tune.corpus if self.tune else None
        return {**self.corpus.parts, **({"tune.train": own.train, "tune.heldout": own.heldout} if own else {})}

    @property
    def source_notes(self) -> tuple[str, ...]:
        """What is said about the sources, each note once."""
        found = (source.note for source in (self.student, self.teacher) if source)
        return tuple(dict.fromkeys(note for note in found if note))


Frozen = TypeVar("Frozen")


def build(cls: type[Frozen], value: object) -> Frozen:
    """Turn checked plain data into the frozen type ``cls``, a dataclass whose fields are dataclasses, tuples, optionals
    or scalars. Raises TypeError for data of another shape."""
    kind: object = cls
    made = _maker(kind)(value)
    assert isinstance(made, cls)
    return made


@functools.cache
def _maker(cls: object) -> Callable[[object], object]:
    """What ``build`` does for a type, computed once: a large catalog has a million values."""
    origin = typing.get_origin(cls)
    if origin in (types.UnionType, typing.Union):
        some = _maker(next(arm for arm in typing.get_args(cls) if arm is not type(None)))
        return lambda value: None if value is None else some(value)
    if origin is tuple:
        each = _maker(typing.get_args(cls)[0])
        return functools.partial(_tuple, None if each is _as_it_is else each)
    if isinstance(cls, type) and dataclasses.is_dataclass(cls):
        return _dataclass_maker(cls)
    if cls is float:
        return _number
    return _whole if cls is int else _as_it_is


def _dataclass_maker(cls: type[DataclassInstance]) -> Callable[[object], object]:
    hints = typing.get_type_hints(cls)
    makers = [(field.name, _maker(hints[field.name])) for field in dataclasses.fields(cls)]

    def make(value: object) -> object:
        if not isinstance(value, dict):
            raise TypeError("not a block of keys and values")
        return cls(**{name: made(value.get(name)) for name, made in makers})

    return make


def _tuple(each: Callable[[object], object] | None, value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("not a list")
    return tuple(value) if each is None else tuple(map(each, value))


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def _whole(value: object) -> object:
    """60.0 is a whole number in JSON Schema; it is stored as one."""
    return int(value) if isinstance(value, float) else value


def _as_it_is(value: object) -> object:
    return value


def recipe_from_mapping(mapping: Mapping[str, object]) -> Recipe:
    """A Recipe from data that ``catalog.checks`` validated and filled with defaults."""
    return build(Recipe, mapping)


@overload
def plain(value: DataclassInstance) -> dict[str, object]: ...
@overload
def plain(value: Sequence[DataclassInstance]) -> list[object]: ...
@overload
def plain(value: object) -> object: ...
def plain(value: object) -> object:
    """The reverse of ``build``: JSON-ready data of a frozen type, keys in field order.

    A field whose metadata has ``later`` is left out while it is None, so that older records stay as they were.
    """
    kind: object = type(value)
    names = _names(kind)
    if names:
        late, found = _later(kind), {name: getattr(value, name) for name in names}
        return {name: plain(one) for name, one in found.items() if one is not None or name not in late}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


@functools.cache
def _names(kind: object) -> tuple[str, ...]:
    """The fields of a dataclass; none of another type."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


@functools.cache
def _later(kind: object) -> frozenset[str]:
    """The fields of a dataclass that older records lack."""
    assert dataclasses.is_dataclass(kind)
    return frozenset(field.name for field in dataclasses.fields(kind) if "later" in field.metadata)
