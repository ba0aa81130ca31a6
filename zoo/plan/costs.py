"""What a plan will cost, before it starts: disk, memory, what is fetched, and how much work. Estimates, and pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.recipe import Recipe
from zoo.plan.plan import Plan, Step, file_makers, is_gguf

BITS_PER_WEIGHT: Mapping[str, float] = {
    "Q8_0": 8.5, "Q6_K": 6.6, "Q5_K_M": 5.7, "Q5_K_S": 5.5, "Q5_1": 6.0, "Q5_0": 5.5, "Q4_K_M": 4.9, "Q4_K_S": 4.6,
    "Q4_1": 5.0, "Q4_0": 4.6, "IQ4_NL": 4.6, "IQ4_XS": 4.3, "Q3_K_L": 4.3, "Q3_K_M": 3.9, "Q3_K_S": 3.5, "IQ3_M": 3.7,
    "IQ3_S": 3.5, "Q2_K": 3.0, "MXFP4_MOE": 4.3, "IQ3_XS": 3.3, "IQ3_XXS": 3.1, "Q2_K_S": 2.8, "IQ2_M": 2.7,
    "IQ2_S": 2.5, "IQ2_XS": 2.4, "Q2_0": 2.3, "IQ2_XXS": 2.1, "TQ2_0": 2.1, "IQ1_M": 1.8, "TQ1_0": 1.7, "IQ1_S": 1.6,
    "Q1_0": 1.2,
}  # fmt: skip
"""Nominal bits per weight of llama.cpp's types, for estimates only; reports hold the real ones."""

CHECKPOINTS_KEPT = 2
ADAPTER_SHARE = 0.1
"""Trained weights of an adapter as a share of all, generously."""


SEARCH_COPIES = 2
"""Copies of the model that a search works on: one per thread; this is what estimates assume."""
SEARCH_TRIALS = 80
"""Whole mixes that a search measures, about."""


@dataclass(frozen=True)
class Costs:
    """disk_bytes is needed at most at one time; memory_bytes by the hungriest step; work is a line per kind of step.

    Both are None where a step works on a model of which nobody knows the size yet.
    """

    steps: int
    disk_bytes: int | None
    memory_bytes: int | None
    fetch_bytes: int
    work: tuple[str, ...]


def estimate(
    recipe: Recipe, plan: Plan, to_run: Iterable[str], prompt_rows: int, found: Mapping[str, int]
) -> Costs:
    """Costs of the steps with these ids.

    prompt_rows: prompts of the corpus, train and held-out together.

    found: number of weights by source, of those sources that are on this machine. Of others the size that the lock
    file has stands for 16 bits per weight.
    """
    counted = {s.source for s in (recipe.student, recipe.teacher) if s and s.parameters}
    sizes = {f.source: f.size_bytes // 2 for f in plan.fetches if f.size_bytes and f.source not in counted}
    found = sizes | dict(found)
    wanted = set(to_run)
    steps = [step for step in plan.steps if step.id in wanted]
    disk = sum(_disk_bytes(recipe, step, found) for step in steps)
    # The hub holds a copy of what is published; a release folder holds links.
    disk += sum(_disk_bytes(recipe, step, found) for step in steps if step.stage in ("export", "quantize"))
    # Finished tensors stay in the work folder, for the next file of the ladder.
    disk += sum(_disk_bytes(recipe, step, found) for step in steps if step.stage == "quantize")
    fetch = sum(f.size_bytes or 0 for f in plan.fetches) if any(s.stage == "import" for s in steps) else 0
    memory = max((_memory_bytes(recipe, step, found) for step in steps), default=0)
    work = tuple(_work(recipe, steps, prompt_rows))
    if any(not parameters_of(recipe, _role(step), found) for step in steps):
        return Costs(len(steps), None, None, fetch, work)
    return Costs(len(steps), disk + fetch, memory, fetch, work)


def parameters_of(recipe: Recipe, role: str, found: Mapping[str, int]) -> int:
    """Weights of the student or teacher: as found in the file, else as the recipe says, by count or by size; else 0.

    A size stands for 4.5 bits per weight in a GGUF file and 16 in a model folder.
    """
    student, teacher = recipe.student, recipe.teacher or recipe.student
    source = teacher if role == "teacher" else student
    for candidate in (source, teacher, student):
        if known := found.get(candidate.source) or candidate.parameters:
            return known
        if candidate.size_bytes:
            return int(candidate.size_bytes * 8 / (4.5 if is_gguf(candidate.source) else 16))
    return 0


def _role(step: Step) -> str:
    return "teacher" if step.id.endswith("/teacher") else "student"


def _disk_bytes(recipe: Recipe, step: Step, found: Mapping[str, int]) -> int:
    parameters = parameters_of(recipe, _role(step), found)
    if step.stage in ("import", "prune", "export"):
        return 2 * parameters * (2 if step.stage == "export" else 1)
    if step.stage == "quantize":
        return int(parameters * BITS_PER_WEIGHT.get(step.spec["type"], 8.5) / 8)
    if step.stage == "parity":
        # The exported file with every weight in float32, while it runs.
        return 4 * parameters
    if step.stage in ("sensitivity", "budget"):
        # Copies of the exported file, one per thread, and tensors in several types.
        return (2 * SEARCH_COPIES + 3) * parameters
    if step.stage == "distill" and recipe.distill:
        # Weights and two AdamW moments in f32.
        share = 1.0 if recipe.distill.adapter == "none" else ADAPTER_SHARE
        return 2 * parameters + int(CHECKPOINTS_KEPT * 12 * parameters * share)
    return 1_000_000


def _memory_bytes(recipe: Recipe, step: Step, found: Mapping[str, int]) -> int:
    parameters = parameters_of(recipe, _role(step), found)
    if step.stage == "import":
        return 6 * parameters
    if step.stage == "distill" and recipe.distill:
        trained = 16 * parameters if recipe.distill.adapter == "none" else 6 * parameters
        return max(trained, 4 * parameters_of(recipe, "teacher", found) + 4 * parameters)
    if step.stage == "parity":
        # The folder's weights in float32, and a copy while they are read.
        return 6 * parameters
    if step.stage in ("sensitivity", "budget"):
        return 2 * SEARCH_COPIES * parameters + 6 * parameters // 2
    if step.stage == "evaluate":
        return (
            sum(
                int(parameters * bits / 8)
                for t, bits in BITS_PER_WEIGHT.items()
                if t in recipe.quantize.ladder
            )
            + 2 * parameters
        )
    return 3 * parameters


def _work(recipe: Recipe, steps: list[Step], prompt_rows: int) -> list[str]:
    stages = [step.stage for step in steps]
    lines = []
    if "label" in stages and recipe.label:
        lines.append(f"label {prompt_rows} prompts, at most {recipe.label.max_tokens} tokens each")
    if "distill" in stages and recipe.distill:
        d = recipe.distill
        lines.append(
            f"train {d.steps} steps of {d.batch_rows} conversations of at most {d.row_tokens} tokens"
        )
    if "imatrix" in stages:
        window = recipe.quantize.imatrix_window_tokens
        lines.append(f"calibrate on the texts under corpus.calibration, in windows of {window} tokens")
    if count := stages.count("quantize"):
        lines.append(f"quantize {count} file{'s' * (count > 1)}")
    if "sensitivity" in stages:
        lines.append(
            "measure what every tensor costs when it alone is quantized: one trial of 512 tokens each"
        )
    if count := stages.count("budget"):
        lines.append(
            f"search {count} byte budget{'s' * (count > 1)}: about {SEARCH_TRIALS} trials of whole mixes each"
        )
    if "evaluate" in stages:
        tokens = recipe.evaluate.windows * recipe.evaluate.window_tokens
        lines.append(f"evaluate {len(file_makers(recipe))} files over {tokens} tokens each")
    if count := stages.count("probe"):
        items = sum(choice.items for choice in recipe.probes)
        lines.append(f"probe {count} file{'s' * (count > 1)} with {items} items each")
    if count := stages.count("benchmark"):
        b = recipe.benchmark
        lines.append(
            f"benchmark {count} file{'s' * (count > 1)}, {b.samples + 1} runs of "
            f"{b.prompt_tokens}+{b.decode_tokens} tokens each"
        )
    return lines
