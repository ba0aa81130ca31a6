"""Fixed facts for every view, an ordinary set; and journals as runs write them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import benchruns
from publishsamples import make_release, write_record
from recipesamples import PLAIN, TUTORED
from sitesamples import sample

from catalog import device as devices
from catalog import schema, yamltext
from catalog.checks import CheckedRecipe, recorded_recipe
from catalog.history import History, run_line
from catalog.index import Catalog
from catalog.jsontext import JsonObject
from catalog.lock import Lock
from catalog.problems import Problem
from catalog.release import YankEvent
from zoo.corpora.describe import GROUPS, Described
from zoo.forms import recipes
from zoo.forms.commands import ON, Field, Form
from zoo.history import tracks
from zoo.history.store import add
from zoo.judge.gates import Verdict
from zoo.plan.clean import Found
from zoo.plan.costs import Costs
from zoo.plan.plan import Fetch, Plan, Step
from zoo.publish.journal import Entry
from zoo.release import ReleaseFolder
from zoo.runs.reader import State, Summary
from zoo.sync.derived import Drift
from zoo.views import (
    coverage,
    drift,
    fields,
    gates,
    machine,
    models,
    outline,
    plans,
    publication,
    runs,
    speed,
    withdrawn,
)
from zoo.views.screen import Screen

ROOT = Path(__file__).parents[1]
NAMES = (
    "runs", "run", "run-alive", "run-died", "log", "plan", "gates", "publication", "publication-one", "history",
    "catalog", "catalog-one", "machine", "drift", "yanks", "coverage", "recipe", "recipe-one", "form", "form-one",
    "form-wrong",
)  # fmt: skip
ID = "261129-031500-3fa9"
AT = "2026-11-29T03:15:00.000Z"


def event(kind: str, second: int = 0, /, **facts: object) -> JsonObject:
    """A line of a journal."""
    facts = {"at": f"2026-11-29T03:15:{second:02}.000Z", "run": ID, "event": kind, **facts}
    made: JsonObject = json.loads(json.dumps(facts))
    return made


def a_release(*, over: bool = True) -> list[JsonObject]:
    """The events of a release with two steps, which passes its gates and is published."""
    steps = [
        {"step": "import/student", "key": "1" * 64, "why": "reuse"}, {"step": "export", "key": "2" * 64, "why": "run"}
    ]  # fmt: skip
    made = [
        event("begin", arguments=["release", "my-model"], command="zoo release", pid=4711, zoo="0.1.0"),
        event("plan", 1, recipe="recipes/my-model.yaml", name="my-model", version="1.0.0", steps=steps),
        event("say", 2, text="my-model 1.0.0: 1 of 2 steps to run"),
        event("step_begin", 2, step="export", key="2" * 64, reason="run: not made yet"),
        event("progress", 12, step="export", what="export", done=12, total=40, unit="tensors", seconds_left=21.0),
    ]
    return [*made, *_rest()] if over else made


def _rest() -> list[JsonObject]:
    return [
        event("step_end", 41, step="export", key="2" * 64, seconds=39.0),
        event("warning", 42, text="The machine was busy while the speed was measured."),
        event("publish", 45, part="committed", kind="model"), event("publish", 46, part="tagged", kind="model"),
        event("end", 47, code=0, seconds=47.0, cpu_seconds=90.5, peak_memory_bytes=1_260_000_000),
    ]  # fmt: skip


def summary(state: State, id_: str = ID, at: str = "", last: JsonObject | None = None) -> Summary:
    """A run of ``zoo release my-model``."""
    return Summary(id_, Path(f"{id_}.jsonl"), state, "zoo release my-model", AT, at, last or event("say", text=""))


def every_run() -> list[Summary]:
    """One run of each state."""
    states: Sequence[tuple[State, str]] = (
        ("running", "at step export"), ("silent", "at step distill"), ("finished", ""), ("failed", ""), ("stopped", ""),
        ("died", "while publishing, after committed"),
    )  # fmt: skip
    return [summary(state, f"261129-03150{n}-3fa9", at) for n, (state, at) in enumerate(states)]


def a_plan() -> tuple[Plan, dict[str, str], Costs, plans.Room]:
    """A plan that needs more memory than there is."""
    steps = tuple(
        Step(id_, id_.partition("/")[0], {}, {}, digit * 64)
        for id_, digit in (("import/student", "1"), ("export", "2"), ("quantize/Q4_K_M", "3"))
    )
    reasons = ("reuse", "run: not made yet", "run: its input changes")
    status = dict(zip((step.id for step in steps), reasons, strict=True))
    fetch = Fetch("student", "hf:org/name", 271_000_000)
    costs = Costs(2, 900_000_000, 40_000_000_000, 271_000_000, ("quantize 1 file",))
    room = plans.Room(16_000_000_000, 50_000_000_000)
    return Plan("my-model", "1.0.0", steps, (fetch,), "4" * 64), status, costs, room


def judged(folder: Path) -> ReleaseFolder:
    """A release with a gate that is missed, a close one and a clear one, and one without a measurement."""
    rows = (
        ("kld_mean", "Q4_K_M", 0.08, 0.09, 0.1, True), ("kld_mean", "Q4_0", 0.34, 0.37, 0.1, False),
        ("decode_tokens_per_second", "Q4_0", 39.0, 39.0, 5.0, True), ("same_top", "Q4_0", None, None, 0.9, False),
    )  # fmt: skip
    verdicts = tuple(Verdict(*row, "a sentence") for row in rows)
    return dataclasses.replace(make_release(folder), verdicts=verdicts)


def entries(*steps: str, kinds: Sequence[str] = ("dataset", "model")) -> list[Entry]:
    """A journal of a publication with these steps of every kind."""
    found: list[Entry] = [{"step": "begin", "files": "0" * 64}]
    for step in steps:
        mine = (None,) if step in ("recorded", "done") else kinds
        found += [{"step": step, "kind": kind, "oid": "a" * 40, "path": "model.gguf", "how": "tree"} for kind in mine]
    return found


def publications() -> list[publication.State]:
    """A version at every point of publishing."""
    ways: Sequence[tuple[str, ...]] = (
        (), ("uploaded",), ("uploaded", "committed"), ("uploaded", "committed", "verified"),
        ("uploaded", "committed", "verified", "tagged"),
        ("uploaded", "committed", "verified", "tagged", "recorded"),
        ("uploaded", "committed", "verified", "tagged", "recorded", "done"),
    )  # fmt: skip
    found = []
    for number, steps in enumerate(ways):
        some = entries(*steps) if steps else []
        step = publication.step_of(some, in_catalog=False)
        found.append(publication.State("my-model", f"1.{number}.0", step, number == 3, publication.parts_of(some)))
    return found


def withdrawn_catalog() -> Catalog:
    """The sample catalog with a withdrawn version."""
    catalog = sample()
    tutor = next(model for model in catalog.models if model.name == "smollm2-tutor-57m")
    event_ = YankEvent("1.0.0", "2026-11-28", "yank", "It never stops.", "high", "smollm2-tutor-57m@1.1.0")
    others = tuple(model for model in catalog.models if model is not tutor)
    return Catalog((*others, dataclasses.replace(tutor, yanks=(event_,))))


def history() -> History:
    """Twelve runs of one level, one that is not valid, and two that are slower."""
    valid = benchruns.runs([20.0, 20.2, 19.9, 20.1, 20.0, 19.8, 20.1, 20.3, 20.0, 19.9, 20.0, 20.1])
    more = [benchruns.report(12, 15.0, valid=False), benchruns.report(13, 17.1), benchruns.report(14, 17.0)]
    slow = [benchruns.of_report(one, model=benchruns.NAME, type_=benchruns.TYPE) for one in more]
    return History((*valid, *slow), ())


COVERED = TUTORED.replace("\nlabel:", """
  coverage:
    - {share: language:fr, at_least: 0.3}
    - {share: language:en, at_least: 0.9}
    - {share: tag:topic:garden, at_least: 0.05, waived: The corpus is about something else.}

label:""", 1)
"""A recipe with a share that its prompts do not have."""


def described() -> Described:
    """Two hundred prompts in two languages."""
    groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    groups["kind"].update({"prompt": 200})
    groups["language"].update({"en": 110, "fr": 84, "mixed": 6})
    groups["dialect"].update({"particle_tu": 3})
    groups["register"].update({"informal": 40})
    return Described(200, groups, Counter({40: 200}))


def covered() -> Screen:
    """The coverage of a recipe."""
    recipe = recorded_recipe(COVERED, "recipes/tutored.yaml")
    assert recipe
    problem = Problem(
        "recipes/tutored.yaml", 41, 7, "corpus.coverage[1]",
        "the corpus must have at least 90 % language:en, and 110 of 200 records (55 %) have it",
        "Add 700 records that have it, or give the reason under waived",
    )  # fmt: skip
    return coverage.screen(recipe, described(), [problem])


def a_recipe() -> tuple[Screen, Screen]:
    """The list of recipes, and one with a problem; of its fields, the first ones and the gates."""
    text = PLAIN.replace("Q8_0, at_most: 0.02", "Q8_0, at_most: low")
    document = yamltext.parse(text.encode(), "recipes/plain.yaml")
    problems = tuple(schema.problems(document, recipes.NAME))
    of = [one for one in recipes.entries(document.data) if one.path[0] in ("name", "summary", "student", "gates")]
    checked = CheckedRecipe("recipes/plain.yaml", text.encode(), document, None, Lock.empty(), problems)
    return fields.every_recipe([checked]), fields.recipe_screen("recipes/plain.yaml", of, problems)


def a_form() -> Form:
    """A form with a field of each kind."""
    some = (
        Field("RECIPES", "recipes", "", "list", missing="Missing argument 'RECIPES...'."),
        Field("--hub", "hub", "A folder, or the address of a hub."),
        Field("--verify", "verify", "What to compare.", choices=("tree", "full"), default="tree"),
        Field("--lines", "lines", "How many.", judge=lambda text: "" if text.isdigit() else f"{text} is not a number"),
        Field("--dry-run", "dry_run", "Only show it.", "flag", also="-n"),
    )
    return Form(("publish",), ("Publish RECIPES.", "A published version never changes."), some)


def screens(folder: Path) -> dict[str, Screen]:
    """Every view of the fixed facts. folder: for a release folder, of which nothing is shown."""
    board = devices.find("pi-5-4gb")
    assert board
    catalog, known = sample(), history()
    cores = "4 fast of 4 cores, 4 logical CPUs: 4 threads"
    facts = machine.Facts(cores, 8 * 10**9, 5 * 10**9, 1_500_000_000, "build/work")
    caches = [Found("tensors", 120, 900_000_000, 0), Found("runs", 7, 90_000, 1), Found("published", 3, 5_000, 0)]
    drifts = [Drift(".github/workflows/check.yml", "the version of this program", "", "zoo sync")]
    watched = summary("failed", last=event("end", code=3))
    said = [event("answer", text="my-model 1.0.0: README.md differs\nRepair it with: zoo publish my-model --repair")]
    states, (all_recipes, one_recipe), form = publications(), a_recipe(), a_form()
    return {
        "runs": runs.listed(every_run()),
        "run": runs.one(summary("finished"), a_release()),
        "run-alive": runs.one(
            summary("running", at="at step export", last=a_release(over=False)[-1]), a_release(over=False)
        ),
        "run-died": runs.one(summary("died", at="at step export"), a_release(over=False)),
        "log": runs.log(summary("finished"), a_release()),
        "plan": plans.screen(*a_plan()),
        "gates": gates.screen(judged(folder)),
        "publication": publication.screen(states),
        "publication-one": publication.screen(states[3:4]),
        "history": speed.screen(benchruns.NAME, known, tracks.tracks(known)),
        "catalog": models.listed(
            [outline.entry(one) for one in catalog.models], board,
            lambda name: models.answer(next(one for one in catalog.models if one.name == name), board),
        ),
        "catalog-one": models.one(catalog, catalog.models[0], board),
        "machine": machine.screen(facts, caches),
        "drift": drift.screen(drifts, watched, said),
        "yanks": withdrawn.screen(withdrawn_catalog()),
        "coverage": covered(),
        "recipe": all_recipes,
        "recipe-one": one_recipe,
        "form": fields.listed({"plan": "Show what a recipe would run.", "publish": "Publish a built release."}),
        "form-one": fields.screen(form, {"RECIPES": ("plain",), "--hub": ("my hub",)}),
        "form-wrong": fields.screen(form, {"--lines": ("many",), "--dry-run": ON}),
    }


def make_zoo(folder: Path) -> Path:
    """A zoo with a recipe, a built release, a catalog with a history, and a run that died."""
    benchruns.zoo(folder)
    shutil.copytree(ROOT / "recipes/corpora", folder / "recipes/corpora")
    (folder / "recipes/plain.yaml").write_text(PLAIN, encoding="utf-8")
    (folder / "recipes/tutored.yaml").write_text(COVERED, encoding="utf-8")
    (folder / "build/work/runs").mkdir(parents=True)
    begin = {"event": "begin", "at": AT, "arguments": ["release", "plain"]}
    (folder / f"build/work/runs/{ID}.jsonl").write_text(json.dumps(begin) + "\n", encoding="utf-8")
    built = judged(folder)
    write_record(built, built.folder)
    lines = [
        run_line(benchruns.report(day, 20.0), model=benchruns.NAME, version="1.0.0", type_=benchruns.TYPE, commit=None)
        for day in range(3)
    ]
    add(folder / "site/evidence", benchruns.NAME, lines)
    return folder
