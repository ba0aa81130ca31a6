"""What a plan will cost, before it starts: disk, memory, downloads, and the amount of work. Estimates. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from catalog import sources
from catalog.recipe import Recipe
from zoo.plan.plan import Plan, Step, file_makers
from zoo.stages.intermediate import Layers, guessed
from zoo.stages.table import LABEL_CONTEXTS, NOT_TAUGHT, STAGES, Load, Need, Taught, server_bytes

PROGRAM_BYTES = 450_000_000
"""Memory of the program itself, with torch, transformers and a child process, before any weights: a model of 76,000
weights is released within 520 MB, and killed within 380 MB (x86-64, Python 3.11, torch 2.13)."""

WIDEST, NARROWEST = 152_064, 64
"""A source that is not here has as many tokens as Qwen2.5, unless its weights are too few for that: at least 64 each.
"""

RESERVE_BYTES = 500_000_000
"""Of disk: kept free in addition to what the steps need."""


@dataclass(frozen=True)
class Costs:
    """disk_bytes is the most needed at one time; memory_bytes is that of the most demanding step; work has a line per
    kind of step.

    Both are None if a step works on a model of unknown size. step_memory_bytes has every step that runs by its id, and
    is then empty. server_bytes: of log-probabilities, at most, that come from a teacher on a server.
    """

    steps: int
    disk_bytes: int | None
    memory_bytes: int | None
    fetch_bytes: int
    work: tuple[str, ...]
    step_memory_bytes: Mapping[str, int] = field(default_factory=dict)
    server_bytes: int = 0

    @property
    def free_bytes(self) -> int:
        """Of disk: what must be free before the first step."""
        return (self.disk_bytes or 0) + RESERVE_BYTES


@dataclass(frozen=True)
class Known:
    """What is known of the student. kept: the share of its weights that is left after layers were removed. vocabulary:
    number of its tokens, 0 if unknown. layers: their shape before any was removed, None if unknown. taught: the
    conversations that its teacher is trained on. And of the machine: threads of a step, None if unknown."""

    kept: float = 1.0
    vocabulary: int = 0
    layers: Layers | None = None
    threads: int | None = None
    taught: Taught = NOT_TAUGHT


def estimate(
    recipe: Recipe,
    plan: Plan,
    to_run: Iterable[str],
    prompt_rows: int,
    found: Mapping[str, int],
    student: Known = Known(),
) -> Costs:
    """Costs of the steps with these ids.

    prompt_rows: prompts of the corpus, train and held-out together.

    found: number of weights by source, for sources on this machine. For others, the size in the lock file decides.
    """
    counted = {s.source for s in (recipe.student, recipe.teacher) if s and s.parameters}
    fetched = {f.source: f.size_bytes for f in plan.fetches if f.size_bytes and f.source not in counted}
    sizes = {uri: int(8 * size / _weight_bits(uri)) for uri, size in fetched.items()}
    found = sizes | dict(found)
    wanted = set(to_run)
    steps = [step for step in plan.steps if step.id in wanted]
    needing = _Needing(recipe, found, student, prompt_rows)
    # Removing layers holds all of them in memory.
    needs = {step.id: needing.of(step, 1.0 if step.stage == "prune" else student.kept) for step in steps}
    steps_disk = _most_disk(steps, lambda step: needing.of(step, student.kept))
    # The release folder holds a copy with the words of the header, the hub one of what is published.
    released = [plan.step(id_) for id_ in dict.fromkeys(file_makers(recipe).values())]
    copies = 2 * sum(_file_bytes(step, needing.of(step, student.kept)) for step in released)
    disk = max(steps_disk.most, steps_disk.left + copies)
    stages = {step.stage for step in steps}
    # A GGUF file as the teacher is fetched by the first step that asks it.
    fetching = [f for f in plan.fetches if "import" in stages or ("label" in stages and sources.is_gguf(f.source))]
    fetch = sum(f.size_bytes or 0 for f in fetching)
    memory = {step.id: PROGRAM_BYTES + STAGES[step.stage].memory(needs[step.id]) for step in steps}
    work = tuple(_work(recipe, steps, prompt_rows, student.taught))
    sent = server_bytes(recipe, prompt_rows) if "distill" in stages else 0
    if any(not parameters_of(recipe, _role(step), found) for step in steps):
        return Costs(len(steps), None, None, fetch, work, server_bytes=sent)
    return Costs(len(steps), disk + fetch, max(memory.values(), default=0), fetch, work, memory, sent)


@dataclass(frozen=True)
class _Disk:
    """Bytes: the most at one time, and what is left at the end."""

    most: int
    left: int


def _most_disk(steps: Iterable[Step], need_of: Callable[[Step], Need]) -> _Disk:
    """The disk of steps that run in this order: what a step needs only while it runs is free for the next."""
    most = left = 0
    for step in steps:
        row, need = STAGES[step.stage], need_of(step)
        # Finished tensors stay in the work folder, for the next file of the ladder.
        made = row.disk(need) * (2 if step.stage == "quantize" else 1)
        most = max(most, left + made + row.scratch(need))
        left += made
    return _Disk(most, left)


def parameters_of(recipe: Recipe, role: str, found: Mapping[str, int]) -> int:
    """Weights of the student or teacher: from the file, else from the count or size in the recipe; else 0.

    See ``_weight_bits`` for a size.
    """
    student, teacher = recipe.student, recipe.teacher or recipe.student
    source = teacher if role == "teacher" else student
    for candidate in (source, teacher, student):
        if known := found.get(candidate.source) or candidate.parameters:
            return known
        if candidate.size_bytes:
            return int(candidate.size_bytes * 8 / _weight_bits(candidate.source))
    return 0


def _weight_bits(uri: str) -> float:
    """Bits per weight that a size counts as: those of Q4_K_M and the like in a GGUF file, 16 in a model folder."""
    return 4.5 if sources.is_gguf(uri) else 16


def _file_bytes(step: Step, need: Need) -> int:
    """The size of the file that a step makes, without what it needs while it runs."""
    if step.stage == "export":
        return 2 * need.weights
    return STAGES[step.stage].disk(need) if step.stage == "quantize" else need.weights


def _role(step: Step) -> str:
    return "teacher" if step.id.endswith("/teacher") or step.stage == "tune" else "student"


@dataclass(frozen=True)
class _Needing:
    """What every step of a recipe works on. found: weights by source."""

    recipe: Recipe
    found: Mapping[str, int]
    student: Known
    prompts: int

    def of(self, step: Step, kept: float = 1.0) -> Need:
        whole = parameters_of(self.recipe, _role(step), self.found)
        weights = whole if step.stage == "import" or _role(step) == "teacher" else int(whole * kept)
        is_served = self.recipe.teacher is not None and sources.is_served(self.recipe.teacher.source)
        tutor = 0 if is_served else parameters_of(self.recipe, "teacher", self.found)
        tokens = self.student.vocabulary or min(WIDEST, whole // NARROWEST)
        layers = guessed(whole) if _role(step) == "teacher" else self.student.layers or guessed(whole)
        left = len(self.recipe.student.layers or ()) / max(1, layers.count) if self.student.layers else kept
        share = left if self.recipe.student.layers else 1.0
        share = 1.0 if _role(step) == "teacher" else share
        contexts = min(self.student.threads or LABEL_CONTEXTS, LABEL_CONTEXTS)
        taught = self.student.taught
        return Need(self.recipe, step.spec, weights, tutor, tokens, self.prompts, layers, share, contexts, taught)


def _work(recipe: Recipe, steps: list[Step], prompt_rows: int, taught: Taught) -> Iterator[str]:
    count = Counter(step.stage for step in steps)
    for name, row in STAGES.items():
        if row.work and count[name]:
            yield row.work(Load(recipe, count[name], len(file_makers(recipe)), prompt_rows, taught))
