"""What a recipe requires but its sources cannot provide, according to their small files. One rule per row. Pure.

Reported by ``zoo check`` and ``zoo plan`` for sources on this machine, and after the import for the others: before
expensive work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from catalog import licences
from catalog.problems import Problem, show
from catalog.quants import QUANTS
from catalog.recipe import Recipe
from catalog.words import counted
from catalog.yamltext import Document
from zoo.gguf.layout import BLOCKS
from zoo.gguf.wording import PHI3_NAMES
from zoo.plan.plan import with_imatrix
from zoo.plan.systemprompts import Refused
from zoo.sources.facts import SourceFacts

Place = tuple[str | int, ...]
Finding = tuple[Place, str, str]
"""Where in the recipe, what contradicts, what to write instead."""


@dataclass(frozen=True)
class Case:
    """A recipe and what is known about its sources; None for a source that is not here yet or not needed.

    systems: what chat templates say that refuse the system messages of the recipe's prompts. heldout: the number of
    prompts under corpus.heldout.
    """

    recipe: Recipe
    student: SourceFacts | None
    teacher: SourceFacts | None
    systems: tuple[Refused, ...] = ()
    heldout: int | None = None


def problems(document: Document, case: Case) -> list[Problem]:
    """Every contradiction, with its place in the recipe."""
    return [document.problem(place, what, instead) for rule in RULES for place, what, instead in rule(case)]


# --- Context


def _contexts(case: Case) -> Iterator[Finding]:
    """Everything that is measured or learnt in tokens, compared with the context of the model that does it."""
    recipe = case.recipe
    bench, wanted = recipe.benchmark, recipe.quantize
    student: list[tuple[Place, int, str]] = [
        (("evaluate", "window_tokens"), recipe.evaluate.window_tokens, "evaluation windows"),
        (("evaluate", "smoke_max_tokens"), recipe.evaluate.smoke_max_tokens, "answers of the smoke test"),
        (
            ("benchmark",),
            bench.prompt_tokens + bench.decode_tokens,
            "prompt and answer of the benchmark together",
        ),
    ]
    if with_imatrix(recipe):
        window = wanted.imatrix_window_tokens
        student.append((("quantize", "imatrix_window_tokens"), window, "windows of the importance matrix"))
    for index, budget in enumerate(wanted.budgets):
        if budget.fits:
            place: Place = ("quantize", "budgets", index, "fits", "context_tokens")
            student.append((place, budget.fits.context_tokens, "the context that must fit"))
    if recipe.distill:
        student.append((("distill", "row_tokens"), recipe.distill.row_tokens, "rows of the training"))
    yield from _beyond("student", case.student, student)
    teacher: list[tuple[Place, int, str]] = []
    if recipe.label:
        teacher.append((("label", "max_tokens"), recipe.label.max_tokens, "answers of the teacher"))
    if recipe.tune:
        teacher.append((("teacher", "tune", "row_tokens"), recipe.tune.row_tokens, "rows of the teacher's training"))
    yield from _beyond("teacher", case.teacher, teacher)
    promised, known = recipe.context_tokens, case.student and case.student.context_tokens
    if promised and known and promised > known:
        what = f"the recipe promises {promised:,} tokens of context, but the model has {known:,}"
        yield ("context_tokens",), what, f"Write at most {known}"


def _beyond(role: str, source: SourceFacts | None, wanted: list[tuple[Place, int, str]]) -> Iterator[Finding]:
    known = source.context_tokens if source else None
    if known is None:
        return
    for place, tokens, words in wanted:
        if tokens > known:
            what = f"{words} have {tokens:,} tokens, but the {role}'s model has a context of {known:,}"
            if len(place) == 1:
                instead = f"Choose prompt_tokens and decode_tokens of at most {known} together"
            else:
                instead = f"Write `{place[-1]}: {known}` or less"
            yield place, what, instead


# --- Layers, vocabularies, templates


def _layers(case: Case) -> Iterator[Finding]:
    kept, known = case.recipe.student.layers, case.student and case.student.layers
    if not kept or not known:
        return
    beyond = [layer for layer in kept if layer >= known]
    if beyond:
        what = (
            f"the model has {counted(known, 'layer')}, 0 to {known - 1}, but no layer {', '.join(map(str, beyond))}"
        )
        yield ("student", "layers"), what, f"Name layers of 0 to {known - 1}"


def _vocabularies(case: Case) -> Iterator[Finding]:
    student, teacher, wanted = case.student, case.teacher, case.recipe.distill
    if not wanted or wanted.method != "logits" or not student or not teacher or student.kind != teacher.kind:
        return
    instead = "Write `method: labels`, or use a teacher with the student's tokenizer"
    sizes = student.vocabulary_size, teacher.vocabulary_size
    if None not in sizes and sizes[0] != sizes[1]:
        what = f"logits are compared, but the student has {sizes[0]:,} tokens and the teacher {sizes[1]:,}"
        yield ("distill", "method"), what, instead
    elif student.words and teacher.words and student.words != teacher.words:
        what = "logits are compared, but student and teacher have different tokens under the same numbers"
        yield ("distill", "method"), what, instead


def _templates(case: Case) -> Iterator[Finding]:
    instead = (
        "Use a source with a chat template (chat_template in tokenizer_config.json, or chat_template.jinja)"
    )
    completion = f"{instead}. For a base model, write `task: completion`"
    recipe, bare = case.recipe, case.student is not None and not case.student.has_template
    if bare and recipe.distill:
        place = ("student", "source")
        yield place, "the student learns conversations, but its source has no chat template", instead
    elif bare and recipe.task == "chat":
        yield ("task",), "the task is chat, but the student's source has no chat template", completion
    if recipe.label and case.teacher and not case.teacher.has_template:
        place = ("teacher", "source")
        yield place, "the teacher answers prompts, but its source has no chat template", instead


def _normalizers(case: Case) -> Iterator[Finding]:
    """What only parity would find, after the export: the same text would become other tokens."""
    changing = case.student.normalizers if case.student else ()
    if changing and "tokenizer" not in case.recipe.parity.allow:
        steps = " and ".join(dict.fromkeys(changing))
        what = f"the tokenizer changes text before it cuts it ({steps}, normalizer of tokenizer.json); llama.cpp does "
        what += "not, so the file would give the model other tokens"
        instead = "Use a model without such a step. If that is known and harmless, write `parity: {allow: [tokenizer]}`"
        yield ("student", "source"), what, instead


def _name(case: Case) -> Iterator[Finding]:
    """llama.cpp takes every file with such a name, which is the recipe's, for a Phi-3."""
    part = next((part for part in PHI3_NAMES if part in case.recipe.name.lower()), None)
    if part and case.student and case.student.without:
        lacking = " and ".join(case.student.without)
        what = f"llama.cpp cannot open a file whose name has {part} and whose tokenizer has no {lacking}"
        yield ("name",), what, f"Choose a name without {part} for the recipe and its file"
    elif part and case.student and case.student.spaced:
        shown = " and ".join(case.student.spaced[:2])
        what = f"in a file whose name has {part}, llama.cpp removes the space after markers such as {shown}"
        what += "; the source's tokenizer keeps it (`rstrip` is false)"
        yield ("name",), what, f"Choose a name without {part} for the recipe and its file"


def _systems(case: Case) -> Iterator[Finding]:
    for found in case.systems:
        what = f"{found.where} has a system message, but {found.why}"
        instead = (
            "Write what it says into `user`: without `system_hint`, `requires_json` and `label.system`. "
            "Or use another model"
        )
        yield found.place, what, instead


def _heldout(case: Case) -> Iterator[Finding]:
    """The standard error of the distilled student's figures requires two conversations."""
    if case.recipe.distill and case.heldout is not None and case.heldout < 2:
        what = f"the student is measured on held-out prompts, but {counted(case.heldout, 'prompt')} is too few: a "
        yield ("corpus", "heldout"), f"{what}standard error requires two", "Add prompts to a file under corpus.heldout"


# --- Licences


def _licences(case: Case) -> Iterator[Finding]:
    for role, source, known in (
        ("student", case.recipe.student, case.student),
        ("teacher", case.recipe.teacher, case.teacher),
    ):
        said = known.licence if known else None
        if source and said and not _same_licence(source.licence, said):
            what = f"the recipe says {show(source.licence)}, but the source itself says {show(said)}"
            yield (role, "licence"), what, "Write the licence of the source"


def _same_licence(ours: str, theirs: str) -> bool:
    """True also if one of them gives nothing to compare."""
    names = {licences.hub_identifier(ours), theirs.strip().lower()}
    if names & {"other", "unknown"}:
        return True
    spelled = licences.canonical(theirs)
    return len(names) == 1 or (spelled or "").lower() == ours.lower()


# --- Types


def _types(case: Case) -> Iterator[Finding]:
    wanted = case.recipe.quantize
    if wanted.allow_fallback or wanted.overrides or not case.student:
        return
    for index, name in enumerate(wanted.ladder):
        block = BLOCKS[QUANTS[name].base][0] if name in QUANTS else 1
        odd = sorted({length for length in case.student.row_lengths if length % block})
        if odd:
            rows = " and ".join(f"{length:,}" for length in odd)
            what = f"{name} requires rows of a multiple of {block} weights, but the model has rows of {rows}"
            instead = "Use a type such as Q8_0 or Q4_0, or write `allow_fallback: true` under quantize"
            yield ("quantize", "ladder", index), what, instead


def _range(case: Case) -> Iterator[Finding]:
    """A type of the exported file that cannot hold the weights. The weights concerned may be in layers that the recipe
    drops."""
    known, type_ = case.student, case.recipe.export.type
    if type_ != "f16" or case.recipe.student.layers is not None or not known or not known.overflows:
        return
    first, more = known.overflows[0], len(known.overflows) - 1
    which = f"{first} and {more} more" if more else first
    what = f"the exported file would be f16, which cannot represent the weights {which} (beyond 65,504)"
    yield ("export", "type"), what, "Write `export: {type: bf16}`"


RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _contexts, _layers, _vocabularies, _templates, _normalizers, _name, _systems, _heldout, _licences, _types, _range,
)  # fmt: skip
