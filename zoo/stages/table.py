"""The table of stages: the code, costs, evidence and description of each. A new stage is a row.

It is light: it imports no stage. ``zoo.stages.stage`` loads the module of a row when the stage runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog import sharding, teacherweights
from catalog.jsonvalues import table, whole
from catalog.microbatches import READ_LOGITS_BYTES, most_tokens
from catalog.quants import QUANTS
from catalog.recipe import Distill, Recipe, Tune, plain
from catalog.teacherweights import LLAMA, VLLM
from catalog.words import counted, data_size
from zoo.machine.processor import Processor
from zoo.stages.intermediate import Layers, guessed

CONVERTER = "llama.cpp-converter"
"""The name under which llama.cpp's converter is a tool. ``zoo.llama.convert.source`` has its version."""

AS_STORED = "source"
"""The ``dtype`` of a teacher whose weight files are used as they are."""

EXPORT_BYTES = 12
"""Per weight of the largest matrix while llama.cpp's converter changes its type: read, twice in float32, written."""

PROMPT_TOKENS = 512
"""Room for a prompt in the context of each row that a teacher answers, in addition to the answer and its retry."""

LABEL_CONTEXTS = 4
"""The most contexts in which a teacher answers side by side, each with as many rows as the recipe says."""
LABEL_CACHE_BYTES = 2_000_000_000
"""Of memory: the keys and values of all of them together, each with one more row for the beginning of the prompts. If
those of one are more, there is only one, without that row."""

TRAINER_BYTES = 250_000_000
"""Of memory: peft and bitsandbytes, and what a training leaves in the allocator, beyond the program itself."""

TRAINING_TOOLS = ("torch", "transformers", "peft", "safetensors", "jinja2")

QLORA_TOOLS = ("accelerate", "bitsandbytes")
"""Extra packages for training on a 4-bit base."""

FALLBACK_GROWTH = 1.3
"""A k-quant of rows that 256 does not divide, as of SmolLM2 135M: Q4_K_M has 105 MB there, not the 82 of its bits."""

LLAMA_TOOLS = ("llama-cpp-python",)
"""The package that computes a teacher's logits with that engine."""
VLLM_TOOLS = ("vllm",)
"""The same for vLLM, in an environment of its own. The version of a server is not known before it is asked."""

ASKED_BYTES = 75
"""Of a token's log-probability as vLLM's server writes it (0.32)."""
TRIAL_BYTES = 10_000_000_000
"""More than this from a server is hours of text: no longer a trial."""

TAUGHT_COPIES = 16
"""In memory per byte of a file of conversations that is learnt: the texts, and a number and a mark for each of their
tokens, of about four bytes."""

TOKEN_BYTES = 4
"""Of a text in a language with Latin letters, for an estimate."""

CHECKPOINTS_KEPT = 2
ADAPTER_SHARE = 0.1
"""Trained weights of an adapter as a share of all weights: an upper estimate."""

LOGITS_COPIES = 5
"""float32 numbers per position and token of the vocabulary, while a loss and its gradient are computed: 484 MB for 512
positions of 49,152."""

CHUNK_POSITIONS, CHUNK_COPIES = 128, 4
"""The same for a loss that is computed chunk by chunk: positions if the recipe has none, and copies."""

ANSWER_BYTES = 3
"""On disk per token of a teacher's answer: two of its id and one of its probability, which compress a little."""

SEARCH_COPIES = 2
"""Copies of the model that a search works on: one per thread; this is what estimates assume."""
SEARCH_TRIALS = 80
"""Complete mixes that a search measures, approximately."""


@dataclass(frozen=True)
class Taught:
    """Conversations that a teacher is trained on. rows: without the held-out ones; bytes: of all files."""

    rows: int
    bytes: int


NOT_TAUGHT = Taught(0, 0)
"""Of a teacher that is not trained, or on its own answers."""


@dataclass(frozen=True)
class Need:
    """The inputs for estimating a step's costs. weights: of the model that it works on, and of the teacher.

    vocabulary: logits per position. prompts: of the corpus, all parts together. layers: of the student, and the share
    of them that is left. contexts: in which a teacher answers, at most. taught: the conversations that a teacher is
    trained on.
    """

    recipe: Recipe
    spec: Mapping[str, object]
    weights: int
    teacher_weights: int
    vocabulary: int
    prompts: int
    layers: Layers | None = None
    kept: float = 1.0
    contexts: int = LABEL_CONTEXTS
    taught: Taught = NOT_TAUGHT


@dataclass(frozen=True)
class Load:
    """The steps of one stage that will run. files: of the release; prompts: of the corpus, all parts together; taught:
    the conversations that a teacher is trained on."""

    recipe: Recipe
    steps: int
    files: int
    prompts: int
    taught: Taught = NOT_TAUGHT


@dataclass(frozen=True)
class Row:
    """A stage.

    version: raise it whenever the bytes that the stage makes from the same inputs change. tools: packages whose version
    enters the keys of its steps. disk and memory: bytes of one step, on disk those that stay when it is finished;
    scratch: on disk in addition while it runs. work: the line that is shown before it runs.
    evidence: files of its artifact that a release carries; of a stage that measures every file, under the name of the
    file's type. module: the file in this folder, where it is not named like the stage.

    measures: makes the step for every file of the release: its spec by recipe and published file name, None if the
    recipe does not use it. Other stages have their place in ``zoo.plan.plan``.

    sums: what ran, in words, if the bytes depend on sums in a processor's kernels, which add in different orders: then
    the processor's instructions enter the keys. roundings: the same, if they depend on roundings of plain C code, which
    a compiler for another architecture may contract: then its architecture does.

    alone: it measures time, so nothing else of the zoo should run on the machine. at_home: it reads what only the
    machine of the command has for sure, such as the zoo's texts, a secret key or a token, and computes little.
    """

    version: int
    tools: tuple[str, ...]
    disk: Callable[[Need], int]
    memory: Callable[[Need], int]
    work: Callable[[Load], str] | None = None
    evidence: tuple[str, ...] = ()
    module: str = ""
    measures: Callable[[Recipe, str], Mapping[str, object] | None] | None = None
    sums: str = ""
    roundings: str = ""
    scratch: Callable[[Need], int] = lambda _: 0
    alone: bool = False
    at_home: bool = False


def _little(_: Need) -> int:
    """Text and figures."""
    return 1_000_000


def _half_precision(need: Need) -> int:
    return 2 * need.weights


def _keeps_files(need: Need) -> bool:
    """Whether a teacher's files are likely to be used as they are. Larger ones are not in 16 bits."""
    teacher = need.recipe.teacher
    if need.spec.get("dtype") != AS_STORED and need.spec.get("teacher_dtype") != AS_STORED:
        return False
    return not (teacher and teacher.parameters and (teacher.size_bytes or 0) > 3 * teacher.parameters)


def _imported(need: Need) -> int:
    """A converted copy; the files of a source that are used as they are were counted when they were fetched."""
    return 1_000_000 if _keeps_files(need) else _half_precision(need)


def _import_memory(need: Need) -> int:
    """The source, the model in 16 bits and in part in float32; or the mapped files alone."""
    return (2 if _keeps_files(need) else 6) * need.weights


def _export_memory(need: Need) -> int:
    """The finished file while its numbers are checked, or the embedding while its type changes: no other matrix is
    larger, and weights are read and written one matrix at a time."""
    return max(2 * need.weights, EXPORT_BYTES * need.vocabulary * guessed(need.weights).width)


def _label_memory(need: Need) -> int:
    """The mapped teacher, and the keys and values of all tokens that it answers together, in 16 bits: of one context,
    or of several small ones."""
    label = need.recipe.label
    assert label
    layers = guessed(need.teacher_weights)
    tokens = label.batch_rows * (PROMPT_TOKENS + 2 * label.max_tokens)
    kept = min(need.teacher_weights, 2 * 2 * layers.count * layers.keys * tokens)
    return 2 * need.teacher_weights + max(kept, min(LABEL_CACHE_BYTES, need.contexts * kept))


def _repacked(need: Need) -> int:
    """A byte per weight: Q4_0 has 0.56 of them and an adapter 0.29 to 0.46, as of seven shapes from 135M to 8B."""
    label = need.recipe.label
    return need.teacher_weights if label and label.repack else 0


def _in_use(need: Need) -> int:
    """A model in 16 bits, and as much again in part."""
    return 3 * need.weights


def _search_disk(need: Need) -> int:
    """Tensors in several types, and the file that is found."""
    return 3 * need.weights


def _search_scratch(need: Need) -> int:
    """Copies of the exported file, one per thread."""
    return 2 * SEARCH_COPIES * need.weights


def _search_memory(need: Need) -> int:
    return 2 * SEARCH_COPIES * need.weights + 6 * need.weights // 2


def _quantized(need: Need) -> int:
    quant = QUANTS[str(need.spec["type"])]
    may_grow = need.spec.get("allow_fallback") and quant.base.endswith("_K")
    return int(need.weights * quant.nominal_bits / 8 * (FALLBACK_GROWTH if may_grow else 1))


def _training(need: Need) -> Distill | Tune:
    """What the recipe says about the training that the step is."""
    found = need.recipe.tune if "method" not in need.spec else need.recipe.distill
    assert found
    return found


def _checkpoints(need: Need) -> int:
    """Weights and two AdamW moments in float32, and the second merge of qlora in 16 bits."""
    share = 1.0 if need.spec["adapter"] == "none" else ADAPTER_SHARE
    other = _half_precision(need) if need.spec["adapter"] == "qlora" else 0
    return int(CHECKPOINTS_KEPT * 12 * need.weights * share) + other


def _distilled(need: Need) -> int:
    """The student in 16 bits and the teacher's answers, in which every token of a row counts as the assistant's."""
    d = need.recipe.distill
    assert d
    position = ANSWER_BYTES * (d.top_k + 1) if d.method == "logits" else 0
    return _half_precision(need) + need.prompts * d.row_tokens * position


def _distill_memory(need: Need) -> int:
    """The larger one of training, and of reading the models that are compared over one row, whose logits are read in
    parts. Every process has the weights, and its share of a step's rows."""
    d = _training(need)
    row = min(4 * d.row_tokens * need.vocabulary, READ_LOGITS_BYTES) * LOGITS_COPIES
    machines = whole(need.spec.get("machines", 1))
    # Of this machine, as are its rows of a step.
    processes = whole(need.spec.get("processes", 1)) // machines
    rows = -(-d.batch_rows // machines)
    in_shares = need.spec.get("sharding") == sharding.FULL
    together = min(processes * most_tokens(d), max(rows, processes) * d.row_tokens)
    logits = 4 * together * need.vocabulary * LOGITS_COPIES
    compared = need.teacher_weights if isinstance(d, Distill) else 0
    if isinstance(d, Distill) and (loss := d.loss):
        chunk = processes * (loss.chunk_positions or CHUNK_POSITIONS)
        logits = min(logits, 4 * chunk * need.vocabulary * CHUNK_COPIES)
    layers = need.layers or guessed(need.weights)
    between = together * layers.token_bytes(need.kept, again=bool(d.gradient_checkpointing))
    kept = (16 if need.spec["adapter"] == "none" else 6) * need.weights
    # Shares add up to one training, on all machines. Every process reads the complete weights first, in float32.
    kept = max(kept // machines + 8 * need.weights, 4 * need.weights * processes) if in_shares else kept * processes
    trained = kept + logits + int(between)
    by_llama = need.spec.get("teacher_engine") == LLAMA
    teacher = (2 if by_llama or _keeps_files(need) else 4) * compared
    # llama.cpp's logits of a row are all kept.
    teacher += 4 * d.row_tokens * need.vocabulary if by_llama else 0
    own = TAUGHT_COPIES * need.taught.bytes * processes if isinstance(d, Tune) else 0
    return TRAINER_BYTES + own + max(trained, teacher + 4 * need.weights + 2 * row)


def _evaluate_memory(need: Need) -> int:
    """Every file at the same time, and the exported one."""
    ladder = need.recipe.quantize.ladder
    return sum(int(need.weights * QUANTS[name].nominal_bits / 8) for name in ladder) + 2 * need.weights


def _label_work(load: Load) -> str:
    most = load.recipe.label.max_tokens if load.recipe.label else 0
    return f"label {counted(load.prompts, 'prompt')}, at most {counted(most, 'token')} each"


def _ask_work(load: Load) -> str:
    label = load.recipe.label
    assert label
    most = load.prompts * (1 + label.retries)
    times = counted(most, "time") if most == load.prompts else f"{load.prompts:,} to {counted(most, 'time')}"
    tokens = counted(label.max_tokens, "token")
    return f"ask a server {times}: answers of at most {tokens} each, JSON and retries twice that"


def _distill_work(load: Load) -> str:
    d = load.recipe.distill
    assert d
    sent = server_bytes(load.recipe, load.prompts)
    places = counted(load.prompts * d.row_tokens, "token")
    asked = (
        f"ask a server for {counted(d.top_k, 'log-probability', 'log-probabilities')} at each of at most {places}: up "
        f"to {data_size(sent)} over the network; then "
        if sent
        else ""
    )
    return f"{asked}train {_steps(d)}{_together(d)}"


def _tune_work(load: Load) -> str:
    tune = load.recipe.tune
    assert tune
    rows = _steps(tune)
    if not load.taught.rows:
        return f"train the teacher {rows}{_together(tune)}"
    times = tune.steps * tune.batch_rows / load.taught.rows
    tokens = f"{load.taught.bytes // TOKEN_BYTES:,}"
    own = f"{counted(load.taught.rows, 'conversation')} of its corpus (about {tokens} tokens with the held-out ones)"
    return f"train the teacher {rows}{_together(tune)}: the {own}, {times:.1f} times each"


def _steps(training: Distill | Tune) -> str:
    rows = counted(training.batch_rows, "conversation")
    return f"{counted(training.steps, 'step')} of {rows} of at most {counted(training.row_tokens, 'token')}"


def _together(training: Distill | Tune) -> str:
    return f", at most {most_tokens(training):,} tokens at a time" if training.micro_tokens else ""


def _imatrix_work(load: Load) -> str:
    window = load.recipe.quantize.imatrix_window_tokens
    return f"calibrate on the texts under corpus.calibration, in windows of {window} tokens"


def _budget_work(load: Load) -> str:
    budgets = counted(load.steps, "byte budget")
    return f"search {budgets}: about {SEARCH_TRIALS} trials of complete mixes each"


def _evaluate_scratch(need: Need) -> int:
    """Six float64 figures per scored token and file, where blocks are kept until the evaluation is decided."""
    asked, files = need.recipe.evaluate, 1 + len(need.recipe.quantize.ladder) + len(need.recipe.quantize.budgets)
    if asked.until is None and asked.relative_error is None:
        return 0
    return 6 * 8 * files * asked.windows * asked.window_tokens // 2


def _evaluate_work(load: Load) -> str:
    asked = load.recipe.evaluate
    tokens = f"{asked.windows * asked.window_tokens} tokens each"
    if asked.until is None and asked.relative_error is None:
        return f"evaluate {counted(load.files, 'file')} over {tokens}"
    ends = [f"the loss of each is known to within {100 * (asked.relative_error or 0):g} %"] * bool(asked.relative_error)
    ends += ["gates and choices are decided"] * bool(asked.until)
    return f"evaluate {counted(load.files, 'file')} over at most {tokens}, until {' or '.join(ends)}"


def _probe_work(load: Load) -> str:
    items = sum(choice.items for choice in load.recipe.probes)
    return f"probe {counted(load.steps, 'file')} with {counted(items, 'item')} each"


def _benchmark_work(load: Load) -> str:
    b = load.recipe.benchmark
    runs = f"{b.samples + 1} runs of {b.prompt_tokens}+{b.decode_tokens} tokens each"
    return f"benchmark {counted(load.steps, 'file')}, {runs}"


STAGES: Mapping[str, Row] = {
    "import": Row(
        10, ("torch", "transformers", "safetensors", "gguf"), _imported, _import_memory,
        module="importing",
    ),
    "prune": Row(1, ("torch", "transformers", "safetensors"), _half_precision, _in_use),
    "corpus": Row(2, (), _little, _in_use, at_home=True),
    "label": Row(
        3, ("llama-cpp-python", "jinja2"), _little, _label_memory, _label_work,
        evidence=("label-report.json",), sums="the teacher's answers", scratch=_repacked,
    ),
    "ask": Row(1, (), _little, lambda _: 0, _ask_work, at_home=True),
    # After the steps with the answers: its report of them, without their words, takes the place of theirs.
    "redact": Row(
        1, ("phonenumberslite",), _little, lambda _: 0, lambda load: f"redact {load.prompts} labelled rows",
        evidence=("label-report.json", "redaction-report.json"), at_home=True,
    ),
    "conversations": Row(
        1, (), lambda need: need.taught.bytes, lambda _: 0, evidence=("tune-corpus.json",),
    ),
    "tune": Row(
        1, TRAINING_TOOLS, _half_precision, _distill_memory, _tune_work,
        evidence=("tune-report.json", "tune-timing.json"), sums="the training of the teacher", scratch=_checkpoints,
    ),
    "distill": Row(
        4, TRAINING_TOOLS, _distilled, _distill_memory, _distill_work,
        evidence=("distill-report.json", "distill-timing.json"), sums="the training", scratch=_checkpoints,
    ),
    "export": Row(8, (CONVERTER, "torch", "transformers"), _half_precision, _export_memory),
    # The exported file in float32 on disk, the folder in float32 in memory, and a copy while it is read.
    "parity": Row(
        8, ("llama-cpp-python", "jinja2", "torch", "transformers"),
        _little, lambda need: 6 * need.weights, evidence=("parity.json",),
        sums="the comparison with the source", scratch=lambda need: 4 * need.weights,
    ),
    "imatrix": Row(1, ("llama-cpp-python",), _little, _in_use, _imatrix_work, sums="the importance matrix"),
    "quantize": Row(
        5, ("llama-cpp-python",), _quantized, _in_use,
        lambda load: f"quantize {counted(load.steps, 'file')}", roundings="the rounding",
    ),
    "sensitivity": Row(
        2, ("llama-cpp-python",), _search_disk, _search_memory,
        lambda _: "measure what every tensor costs when it alone is quantized: one trial of 512 tokens each",
        sums="the search's measurements", scratch=_search_scratch,
    ),
    "budget": Row(
        4, ("llama-cpp-python",), _search_disk, _search_memory, _budget_work,
        sums="the search", scratch=_search_scratch,
    ),
    "evaluate": Row(
        7, ("llama-cpp-python", "jinja2"), _little, _evaluate_memory, _evaluate_work,
        evidence=("evaluation.json", "kld-curve.svg", "smoke.json"), sums="the evaluation", scratch=_evaluate_scratch,
    ),
    "probe": Row(
        2, ("llama-cpp-python", "jinja2"), _little, _in_use, _probe_work,
        measures=lambda recipe, _: {"probes": plain(recipe.probes)} if recipe.probes else None,
        sums="the answers to the probes",
    ),
    "benchmark": Row(
        2, ("llama-cpp-python",), _little, _in_use, _benchmark_work, evidence=("bench.json", "bench.csv"),
        measures=lambda recipe, name: {**plain(recipe.benchmark), "file_name": name}, alone=True,
    ),
}  # fmt: skip
"""Every stage, in the order in which lines of work are shown."""


def tools_of(stage: str, spec: Mapping[str, object]) -> tuple[str, ...]:
    """Packages that a step needs and whose version enters its key."""
    qlora = QLORA_TOOLS if spec.get("adapter") == "qlora" else ()
    engine = spec.get("teacher_engine")
    teaching = LLAMA_TOOLS if engine == LLAMA else VLLM_TOOLS if engine == VLLM and not is_asked(spec) else ()
    return (*STAGES[stage].tools, *qlora, *teaching)


def is_asked(spec: Mapping[str, object]) -> bool:
    """Whether a training asks a server for the teacher's log-probabilities."""
    return teacherweights.is_asked(table(spec.get("teacher") or {}).get("source"), spec.get("teacher_engine"))


def server_bytes(recipe: Recipe, prompts: int) -> int:
    """What a server sends at most: the log-probabilities at every token of as many conversations."""
    d, teacher = recipe.distill, recipe.teacher
    if not d or not teacher or not teacherweights.is_asked(teacher.source, teacher.engine):
        return 0
    return ASKED_BYTES * (d.top_k + 1) * d.row_tokens * prompts


def capability(stage: str, processor: Processor) -> Mapping[str, object] | None:
    """What of a processor decides the bytes of a stage's steps, and so enters their keys; None for most stages.

    What llama.cpp was compiled for is left out: reading it would load llama.cpp in every command that plans.
    """
    row = STAGES[stage]
    if row.sums:
        sets = list(processor.instruction_sets)
        return {"machine": processor.machine, "maker": processor.maker, "instruction_sets": sets}
    return {"machine": processor.machine} if row.roundings else None


def every_tool() -> frozenset[str]:
    """The tools of all stages, for any recipe."""
    return frozenset(QLORA_TOOLS).union(*(row.tools for row in STAGES.values()))
