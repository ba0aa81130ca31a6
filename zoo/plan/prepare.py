"""A recipe checked and planned: what will run, why, and what that costs. The commands show it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.checks import CheckedRecipe, check_recipe
from catalog.jsonvalues import table, whole
from catalog.problems import instead_of
from catalog.recipe import Recipe
from catalog.words import counted, data_size
from zoo import addresses
from zoo.errors import InputError, ZooError
from zoo.files.digests import digest
from zoo.gguf.header import Header, read_header
from zoo.modelfolder import depth, weights
from zoo.plan import costs, engine, foresight, plan, world
from zoo.plan.known import Known
from zoo.plan.plan import Plan, World
from zoo.plan.store import Workspace
from zoo.progress import Reporter, record
from zoo.settings import Settings
from zoo.sources import resolve
from zoo.stages.intermediate import Layers
from zoo.stages.table import NOT_TAUGHT, TOKEN_BYTES, Taught


@dataclass(frozen=True)
class Planned:
    """A valid recipe with its plan. ``status`` says per step whether it runs, and why."""

    checked: CheckedRecipe
    recipe: Recipe
    world: World
    plan: Plan
    status: dict[str, str]
    costs: costs.Costs

    @property
    def to_run(self) -> list[str]:
        return [id_ for id_, reason in self.status.items() if reason != "reuse"]


def find_recipe(name: str, settings: Settings) -> Path:
    """A recipe by file path, or by name in ``recipes/``. Raises InputError with the nearest name."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        return path
    found = settings.root / "recipes" / f"{name}.yaml"
    if not found.is_file():
        names = sorted(
            p.stem for p in (settings.root / "recipes").glob("*.yaml") if not p.name.endswith(".lock.yaml")
        )
        if found.with_suffix(".yml").is_file():
            raise InputError(
                f"recipe {name!r} was not found: recipes/{name}.yml does not end in .yaml",
                remedy=f"Rename it: mv recipes/{name}.yml recipes/{name}.yaml",
            )
        new = "Make a new one with: zoo new NAME"
        remedy = instead_of(name, names, f"None exist yet. {new}", new)
        raise InputError(f"recipe {name!r} was not found", remedy=remedy)
    return found


def every_recipe(settings: Settings) -> list[str]:
    """The names of all recipes in ``recipes/``, in the catalog's order. Raises InputError if there is none."""
    found = (settings.root / "recipes").glob("*.yaml")
    names = sorted(path.stem for path in found if not path.name.endswith(".lock.yaml"))
    if not names:
        raise InputError("recipes/ has no recipe", remedy="Make one with: zoo new NAME")
    return names


def make_plan(name: str, settings: Settings, tools: Mapping[str, str] | None = None) -> Planned:
    """Check and plan a recipe. Raises InputError with every problem, ModelFileError for an unusable source.

    tools: what ``world.tool_versions`` has just found, for a command that plans many recipes.
    """
    checked = check_recipe(find_recipe(name, settings), settings.root)
    with Known(settings.work) as known:
        found = foresight.problems(checked, settings.root, raising=not checked.problems, known=known)
    found = [*checked.problems, *found]
    foresight.refuse(checked.file, found, safe="Nothing was made.")
    assert checked.recipe
    seen = world.look(checked.recipe, settings, checked.files, tools)
    made = plan.make(checked.recipe, digest(checked.text.decode()), checked.lock, seen)
    status = engine.status(made, Workspace(settings.work))
    to_run = [id_ for id_, reason in status.items() if reason != "reuse"]
    rows = _prompt_rows(checked.recipe, checked)
    estimate = costs.estimate(
        checked.recipe, made, to_run, rows, _weights(checked.recipe, settings),
        _known(checked.recipe, checked, settings),
    )
    if any(made.step(id_).stage == "ask" for id_ in to_run):
        estimate = dataclasses.replace(estimate, work=(*estimate.work, _asking_cost(checked.recipe, rows, settings)))
    return Planned(checked, checked.recipe, seen, made, status, estimate)


def make_plans(
    names: Iterable[str], settings: Settings, leave_out: Callable[[str, ZooError], None] | None = None
) -> dict[str, Planned]:
    """Check and plan many recipes, by name.

    leave_out: called with each recipe that cannot be planned, and why; the others are planned. Without it, InputError
    has the problems of all of them.
    """
    tools, made, faults = world.tool_versions(), {}, list[ZooError]()
    for name in names:
        try:
            made[name] = make_plan(name, settings, tools)
        except ZooError as error:
            if leave_out is None:
                faults.append(error)
            else:
                leave_out(name, error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        words = [f"{one.where}: {one.what}" if one.where else one.what for one in faults]
        listed = "\n".join([f"{counted(len(faults), 'recipe')} cannot be planned", *words])
        raise InputError(listed, safe="Nothing was made.", remedy="Fix the lines above, or name only the others")
    return made


def announce(planned: Planned, report: Reporter) -> None:
    """Report what the run will cost before it starts."""
    for hint in planned.checked.hints:
        report.warn(str(hint))
    record(
        "plan", recipe=planned.checked.file, name=planned.plan.name, version=planned.plan.version,
        steps=[{"step": step.id, "key": step.key, "why": planned.status[step.id]} for step in planned.plan.steps],
        costs=vars(planned.costs),
    )  # fmt: skip
    if not planned.costs.steps:
        return
    total = len(planned.plan.steps)
    report.say(
        f"{planned.plan.name} {planned.plan.version}: {planned.costs.steps} of {total} steps to run, "
        f"{needs(planned.costs)}"
    )
    if planned.costs.fetch_bytes:
        report.say(f"  fetch {data_size(planned.costs.fetch_bytes)}")
    for line in planned.costs.work:
        report.say(f"  {line}")


def needs(found: costs.Costs) -> str:
    """What a plan needs from the machine, for a sentence."""
    if found.disk_bytes is None or found.memory_bytes is None:
        return "disk and memory unknown (zoo lock records how large the sources are)"
    disk = f"{data_size(found.disk_bytes)} of disk ({data_size(found.free_bytes)} must be free)"
    return f"about {disk} and {data_size(found.memory_bytes)} of memory"


def _prompt_rows(recipe: Recipe, checked: CheckedRecipe) -> int:
    files = [*recipe.corpus.train, *recipe.corpus.heldout] if recipe.label else []
    return sum(checked.files[file.path].lines for file in files)


def _asking_cost(recipe: Recipe, rows: int, settings: Settings) -> str:
    """What the answers of a server will cost, for a person."""
    label = recipe.label
    assert label
    files = [*recipe.corpus.train, *recipe.corpus.heldout]
    read = sum((settings.root / file.path).stat().st_size for file in files) + rows * len(label.system or "")
    tries, written = 1 + label.retries, rows * label.max_tokens
    words = f"about {counted(read // TOKEN_BYTES, 'token')} of prompts are sent to {_place(settings)}"
    prices = settings.teacher.prices
    if prices is None:
        return f"{words}; prices are unknown (setting teacher_prices)"
    # Every byte a token, every answer as long as it may be, every try used.
    least, most = prices.words(read // TOKEN_BYTES, written), prices.words(read * tries, 2 * written * tries)
    return f"{words}: about {least} if no row is asked twice, at most {most}"


def _place(settings: Settings) -> str:
    return addresses.shown(settings.teacher.address) or "a server that no setting names yet (ZOO_TEACHER)"


def _weights(recipe: Recipe, settings: Settings) -> dict[str, int]:
    """Number of weights of every source that is a file on this machine."""
    found = {}
    for uri in {source.source for source in (recipe.student, recipe.teacher) if source}:
        path = None if uri.startswith("hf:") else resolve.locate(uri, settings.root, settings.work)
        if path and path.is_dir():
            # Two bytes for each weight, as most model folders have it.
            found[uri] = sum(file.stat().st_size for file in path.glob("*.safetensors")) // 2
        elif path:
            # An unreadable file is reported when it is used.
            with contextlib.suppress(ZooError):
                found[uri] = read_header(path).parameters
    return found


def vocabulary(recipe: Recipe, settings: Settings) -> int:
    """Number of tokens of the student's source if it is on this machine, else 0; only training asks for it."""
    uri = recipe.student.source
    is_asked = recipe.distill is not None and not uri.startswith("hf:")
    path = resolve.locate(uri, settings.root, settings.work) if is_asked else None
    # An unreadable file is reported when it is used.
    with contextlib.suppress(ZooError, OSError, ValueError, TypeError):
        if path and path.is_file():
            return read_header(path).vocabulary_size
        if path:
            config = table(jsontext.read(path / "config.json", bounded=False, finite=False))
            return whole(table(config.get("text_config", config)).get("vocab_size"))
    return 0


def _known(recipe: Recipe, checked: CheckedRecipe, settings: Settings) -> costs.Known:
    layers, taught = layers_of(recipe, settings), _taught(recipe, checked, settings)
    return costs.Known(_kept(recipe, settings), vocabulary(recipe, settings), layers, settings.threads, taught)


def _taught(recipe: Recipe, checked: CheckedRecipe, settings: Settings) -> Taught:
    own = recipe.tune.corpus if recipe.tune else None
    if own is None:
        return NOT_TAUGHT
    size = sum((settings.root / file.path).stat().st_size for file in (*own.train, *own.heldout))
    return Taught(sum(checked.files[file.path].prompts for file in own.train), size)


def layers_of(recipe: Recipe, settings: Settings) -> Layers | None:
    """The shape of the student's layers, None if its source is not on this machine; only training asks for it."""
    uri = recipe.student.source
    is_asked = recipe.distill is not None and not uri.startswith("hf:")
    path = resolve.locate(uri, settings.root, settings.work) if is_asked else None
    # An unreadable file is reported when it is used, and one that says less gives an estimate.
    with contextlib.suppress(ZooError, OSError, ValueError, TypeError):
        if path and path.is_file():
            return _of_header(read_header(path))
        if path:
            config = table(jsontext.read(path / "config.json", bounded=False, finite=False))
            inner = table(config.get("text_config", config))
            count, width, heads, between = (
                whole(inner.get(key))
                for key in ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
            )
            size = whole(inner.get("head_dim") or width // max(1, heads))
            return Layers(count, width, between, size * whole(inner.get("num_key_value_heads") or heads))
    return None


def _of_header(header: Header) -> Layers | None:
    between = header.metadata.get(f"{header.metadata.get('general.architecture')}.feed_forward_length")
    if not isinstance(between, int):
        return None
    return Layers(header.block_count, header.embedding_length, between, header.key_length * header.head_count_kv)


def _kept(recipe: Recipe, settings: Settings) -> float:
    """The share of the student's weights that its layers in the recipe have, with what is outside of layers.

    1.0 if every layer is kept, or if the source is not on this machine.
    """
    uri, layers = recipe.student.source, recipe.student.layers
    path = None if uri.startswith("hf:") else resolve.locate(uri, settings.root, settings.work)
    if layers is None or path is None:
        return 1.0
    counts: dict[str, int] = {}
    # An unreadable file is reported when it is used.
    with contextlib.suppress(ZooError, OSError):
        counts = _counts(path)
    left = {None, *layers}
    kept = sum(number for name, number in counts.items() if depth.layer_of(name) in left)
    return kept / sum(counts.values()) if kept else 1.0


def _counts(path: Path) -> dict[str, int]:
    """Number of weights of every tensor of a GGUF file or a model folder, by its name."""
    if path.is_file():
        return {tensor.name: math.prod(tensor.shape) for tensor in read_header(path).tensors}
    headers = [weights.read_header(file, file.name) for file in path.glob("*.safetensors")]
    return {name: math.prod(entry["shape"]) for header in headers for name, entry in header.items()}
