"""What the model benchmarks work on: the weights, settings and prompts of the starter recipe that is distilled.

Imported weights are kept in ``build/benchmarks``; each folder is either complete or missing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs import Say
from catalog.checks import check_recipe
from catalog.recipe import Distill, Label, Recipe, Source
from pi_runtime.cores import cores
from zoo.corpora.prompts import read_prompts
from zoo.corpora.rows import messages_of
from zoo.errors import ZooError
from zoo.files.digests import digest
from zoo.files.locks import locked
from zoo.llama.model import Model
from zoo.progress import Silent
from zoo.sources import resolve
from zoo.stages.table import PROMPT_TOKENS
from zoo.training import require, versions

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "benchmarks"
RECIPE = "recipes/smollm2-tutor-57m.yaml"

Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tutor:
    """The parts of the recipe that the benchmarks use. layers: those that the student keeps."""

    recipe: Recipe
    teacher: Source
    label: Label
    distill: Distill
    layers: tuple[int, ...]

    @property
    def room_tokens(self) -> int:
        """Context of one row, as the label stage opens it."""
        return PROMPT_TOKENS + 2 * self.label.max_tokens


def tutor() -> Tutor:
    """The starter recipe with a teacher. Raises ZooError if it is not valid."""
    recipe = check_recipe(ROOT / RECIPE, ROOT).recipe
    if not (recipe and recipe.teacher and recipe.label and recipe.distill and recipe.student.layers):
        raise ZooError(f"{RECIPE} is not a valid recipe with a teacher", remedy=f"zoo check {RECIPE}")
    return Tutor(recipe, recipe.teacher, recipe.label, recipe.distill, recipe.student.layers)


def teacher_file(recipe: Tutor) -> Path:
    """The teacher's GGUF file, its sha256 verified."""
    spec = {"source": recipe.teacher.source, "sha256": recipe.teacher.sha256}
    return resolve.resolve(spec, ROOT, CACHE, Silent())


def plain_conversations(recipe: Tutor, count: int | None) -> list[Messages]:
    """The first ``count`` prompts (None for all) that ask for free text, with their system prompt, those for training
    first."""
    found: list[Messages] = []
    for file in (*recipe.recipe.corpus.train, *recipe.recipe.corpus.heldout):
        records = read_prompts(ROOT / file.path, file.path)
        found += [messages_of(r, recipe.label.system) for r in records if not r.get("requires_json")]
    if count is not None and len(found) < count:
        raise ZooError(f"the corpus has {len(found)} plain prompts, but {count} are needed")
    return found[:count]


def rendered(model: Model, messages: Messages) -> str:
    """The prompt text, with the chat template of the file."""
    return model.render([{"role": role, "content": content} for role, content in messages])


def imported(source: Path, sha256: str | None, layers: tuple[int, ...] | None, say: Say) -> Path:
    """A plain model folder of ``source`` in float16; made once, which may take a minute."""
    require()
    key = digest({"sha256": sha256, "layers": layers, "versions": versions()})[:16]
    target = CACHE / f"model-{key}"
    with locked(CACHE / f"model-{key}.lock", lambda: say("another benchmark imports this model; waiting")):
        if not target.is_dir():
            say(f"importing {source.name}, once")
            _import(source, target, layers)
    return target


def _import(source: Path, target: Path, layers: tuple[int, ...] | None) -> None:
    from zoo.training.importing import import_model

    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=CACHE) as folder:
        grown = Path(folder) / "model"
        import_model(source, grown, Silent(), layers=layers)
        grown.rename(target)


def threads_or_cores(threads: int | None) -> int:
    """Threads asked for, or one for each core that this process may use."""
    return threads or cores().threads
