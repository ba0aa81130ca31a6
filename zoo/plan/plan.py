"""From a recipe to its steps: what would run, on what, with which key. Pure.

A step's key is the digest of its stage and that stage's version, its spec, its inputs' keys and the versions of the
tools whose change may change bytes. Settings enter only where they change bytes (``threads`` in training), and the
processor only where its kernels do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from catalog import budgets, sharding, sources, teacherweights
from catalog.lock import Lock
from catalog.recipe import CorpusFile, Distill, Recipe, Source, Student, Teacher, Tune, plain
from zoo.files.digests import digest
from zoo.machine.processor import Processor
from zoo.plan.evaluation import evaluation
from zoo.stages.table import STAGES, capability, tools_of

SEARCH_WINDOW_TOKENS = 256
SEARCH_WINDOWS = 6
"""How much text the search of a byte budget uses to measure complete mixes: most tokens per window, and most
windows."""


@dataclass(frozen=True)
class Step:
    """One piece of work. ``inputs`` maps the role that an input plays to the id of the step that makes it.

    processor: that made it or will, of a step whose bytes depend on it.
    """

    id: str
    stage: str
    spec: Mapping[str, object]
    inputs: Mapping[str, str]
    key: str
    processor: Processor | None = None


@dataclass(frozen=True)
class Fetch:
    """A source on another machine. size_bytes is from the recipe or its lock, None if neither has it."""

    role: str
    source: str
    size_bytes: int | None


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which every input comes before its use. ``key`` identifies the release as a whole."""

    name: str
    version: str
    steps: tuple[Step, ...]
    fetches: tuple[Fetch, ...]
    key: str

    def step(self, id_: str) -> Step:
        return next(step for step in self.steps if step.id == id_)


@dataclass(frozen=True)
class World:
    """The outside facts that enter keys: package versions, digests of the zoo's files, training threads and device.

    processors: this machine's, then others whose finished steps may be in the work folder. finished: whether the step
    with a key is there. A step that another processor finished is used: what depends on a processor is not better
    because it is made here, and a training may have taken days. processes: that train together, on so many
    ``machines``; sharding: what each of them keeps.
    """

    tools: Mapping[str, str]
    files: Mapping[str, str]
    threads: int
    device: str
    processors: tuple[Processor, ...] = ()
    finished: Callable[[str], bool] = field(default=lambda _: False, compare=False)
    teacher_device: str = "cpu"
    processes: int = 1
    sharding: str = sharding.NONE
    machines: int = 1


def make(recipe: Recipe, recipe_sha256: str, lock: Lock, world: World) -> Plan:
    """The plan of a recipe. ``world.files`` must hold the sha256 of every corpus and ``file:`` source path."""
    return _Maker(recipe, lock, world).plan(recipe_sha256)


def file_name(name: str, type_: str) -> str:
    """Name of a published GGUF file."""
    return f"{name}-{type_}.gguf"


def _answers_as_it_is(teacher: Teacher) -> bool:
    """Whether llama.cpp answers with the teacher's own file: a GGUF file that is not trained before."""
    return sources.is_gguf(teacher.source) and not (teacher.tune and teacher.tune.corpus)


def with_imatrix(recipe: Recipe) -> bool:
    """Whether quants are made with an importance matrix: as the recipe says, else if it has calibration text."""
    wanted = recipe.quantize.imatrix
    return bool(recipe.corpus.calibration) if wanted is None else wanted


def file_makers(recipe: Recipe) -> dict[str, str]:
    """Type of every file of the release -> id of the step that makes it; the exported file first."""
    ladder = {t: f"quantize/{t}" for t in recipe.quantize.ladder}
    searched = {label: f"budget/{label}" for label in map(budgets.label_of, recipe.quantize.budgets)}
    return {recipe.export.type.upper(): "export"} | ladder | searched


class _Maker:
    def __init__(self, recipe: Recipe, lock: Lock, world: World) -> None:
        self.recipe = recipe
        self.lock = lock
        self.world = world
        self.steps: dict[str, Step] = {}

    def plan(self, recipe_sha256: str) -> Plan:
        recipe = self.recipe
        weights = self._student(recipe.student)
        if recipe.label and recipe.teacher:
            self._label(recipe.teacher)
            if recipe.label.redact:
                self._add("redact", "redact", {}, {"labels": "label"})
            if recipe.distill:
                weights = self._distill(weights, recipe.teacher)
        # Pruned and distilled weights have the source's tokenizer, but no record of it.
        record = {} if weights == "import/student" else {"source": "import/student"}
        self._add("export", "export", self._export(), {"model": weights, **record})
        parity = {"type": recipe.export.type, "allow": list(recipe.parity.allow)}
        compared = {"weights": weights, "model": "export", "source": "import/student"}
        self._add("parity", "parity", parity, compared)
        self._ladder()
        if recipe.quantize.budgets:
            self._budgets()
        files = file_makers(recipe)
        self._add("corpus/texts", "corpus", self._files("evaluation"), {})
        self._add("evaluate", "evaluate", evaluation(recipe, tuple(files)), {**files, "texts": "corpus/texts"})
        self._measure_every(files)
        steps = tuple(self.steps.values())
        parts = {"recipe": recipe_sha256, "steps": {step.id: step.key for step in steps}}
        if recipe.licence_files:
            parts["licence_files"] = {path: self.world.files.get(path) for path in recipe.licence_files}
        key = digest(parts)
        return Plan(recipe.name, recipe.version, steps, self._fetches(), key)

    def _add(self, id_: str, stage: str, spec: Mapping[str, object], inputs: Mapping[str, str]) -> None:
        decides = {
            "stage": stage,
            "stage_version": STAGES[stage].version,
            "spec": spec,
            "inputs": {role: self.steps[maker].key for role, maker in inputs.items()},
            "tools": {name: self.world.tools.get(name, "absent") for name in tools_of(stage, spec)},
        }
        key, processor = self._made_by(stage, decides)
        self.steps[id_] = Step(id_, stage, spec, inputs, key, processor)

    def _made_by(self, stage: str, decides: Mapping[str, object]) -> tuple[str, Processor | None]:
        """The key of a step and the processor in it: this machine's, unless only another one has finished the step."""
        keys: dict[str, Processor] = {}
        for one in self.world.processors:
            if (part := capability(stage, one)) is not None:
                keys.setdefault(digest({**decides, "processor": part}), one)
        if not keys:
            return digest(decides), None
        first = next(iter(keys))
        key = first if len(keys) == 1 else next(filter(self.world.finished, keys), first)
        return key, keys[key]

    def _measure_every(self, files: Mapping[str, str]) -> None:
        for stage, row in STAGES.items():
            for type_, maker in files.items() if row.measures else ():
                assert row.measures
                spec = row.measures(self.recipe, file_name(self.recipe.name, type_))
                if spec is not None:
                    self._add(f"{stage}/{type_}", stage, spec, {"model": maker})

    def _ladder(self) -> None:
        wanted = self.recipe.quantize
        inputs = {"model": "export"}
        if with_imatrix(self.recipe):
            self._add("corpus/calibration", "corpus", self._files("calibration"), {})
            window = {"window_tokens": wanted.imatrix_window_tokens}
            self._add("imatrix", "imatrix", window, {"model": "export", "texts": "corpus/calibration"})
            inputs["imatrix"] = "imatrix"
        for type_ in wanted.ladder:
            spec = {
                "type": type_,
                "allow_fallback": wanted.allow_fallback,
                "overrides": plain(wanted.overrides),
            }
            self._add(f"quantize/{type_}", "quantize", spec, inputs)

    def _budgets(self) -> None:
        """Sensitivities are measured once, for all budgets."""
        if "corpus/calibration" not in self.steps:
            self._add("corpus/calibration", "corpus", self._files("calibration"), {})
        inputs = {"model": "export", "texts": "corpus/calibration"}
        inputs |= {role: role for role in ("imatrix",) if role in self.steps}
        window_tokens = min(self.recipe.evaluate.window_tokens, SEARCH_WINDOW_TOKENS)
        spec = {"window_tokens": window_tokens, "windows": SEARCH_WINDOWS}
        self._add("sensitivity", "sensitivity", spec, inputs)
        for budget in self.recipe.quantize.budgets:
            label = budgets.label_of(budget)
            own = {**spec, "label": label, "limit": budgets.limit(budget)}
            self._add(f"budget/{label}", "budget", own, {**inputs, "sensitivity": "sensitivity"})

    def _student(self, student: Student) -> str:
        self._add("import/student", "import", self._source(student), {})
        if student.layers is None:
            return "import/student"
        self._add("prune", "prune", {"layers": list(student.layers)}, {"model": "import/student"})
        return "prune"

    def _label(self, teacher: Teacher) -> None:
        assert self.recipe.label
        self._add("corpus/prompts", "corpus", self._files("train", "heldout"), {})
        inputs = {"prompts": "corpus/prompts"}
        spec = {**plain(self.recipe.label), "teacher": None}
        # Answers do not depend on what happens to them afterwards.
        spec.pop("redact", None)
        if not spec.get("repack") or self.world.teacher_device != "cpu":
            # It changes nothing there.
            spec.pop("repack", None)
        if sources.is_served(teacher.source):
            # The name of the model is all that a plan knows of it; the step records what the server says.
            self._add("label", "ask", {**spec, "teacher": {"source": teacher.source}}, inputs)
            return
        if self.world.teacher_device != "cpu":
            # Its sums are not those of a processor, whose steps keep the keys that they always had.
            spec["device"] = self.world.teacher_device
        if _answers_as_it_is(teacher):
            spec["teacher"] = self._source(teacher)
        else:
            self._add("import/teacher", "import", self._teacher(teacher), {})
            weights = self._tuned_first(teacher.tune)
            record = {} if weights == "import/teacher" else {"source": "import/teacher"}
            self._add("export/teacher", "export", {"type": "f16", "header": {}}, {"model": weights, **record})
            inputs["teacher"] = "export/teacher"
        self._add("label", "label", spec, inputs)

    def _tuned_first(self, tune: Tune | None) -> str:
        """The step with the weights of the teacher that answers the prompts."""
        if tune is None or tune.corpus is None:
            return "import/teacher"
        self._add("conversations", "conversations", self._files("tune.train", "tune.heldout"), {})
        self._add("tune", "tune", self._trained(tune), {"model": "import/teacher", "labels": "conversations"})
        return "tune"

    def _teacher(self, teacher: Teacher) -> dict[str, object]:
        return self._source(teacher) | ({"dtype": teacher.dtype} if teacher.dtype else {})

    def _distill(self, student: str, teacher: Teacher) -> str:
        assert self.recipe.distill
        labels = "redact" if "redact" in self.steps else "label"
        inputs = {"student": student, "labels": labels}
        # A teacher is imported for its logits, and also to measure how near the student comes to it.
        if teacher.engine == teacherweights.LLAMA:
            # Of a model folder, the file that answered the prompts.
            inputs |= {} if _answers_as_it_is(teacher) else {"teacher": "export/teacher"}
        elif not sources.is_served(teacher.source):
            if "import/teacher" not in self.steps:
                self._add("import/teacher", "import", self._teacher(teacher), {})
            inputs["teacher"] = "import/teacher"
        if teacher.tune and not teacher.tune.corpus:
            given = {"model": "import/teacher", "labels": labels}
            self._add("tune", "tune", self._trained(teacher.tune), given)
        if teacher.tune and teacher.engine != teacherweights.LLAMA:
            inputs["teacher"] = "tune"
        spec = self._trained(self.recipe.distill)
        if teacher.engine:
            spec |= {"teacher_engine": teacher.engine, **self._own(teacher)}
        if teacher.dtype and teacher.engine != teacherweights.LLAMA:
            spec["teacher_dtype"] = teacher.dtype
        self._add("distill", "distill", spec, inputs)
        return "distill"

    def _own(self, teacher: Teacher) -> dict[str, object]:
        """A teacher that no other step of the plan makes. Of a server's, the name is all that a plan knows."""
        if sources.is_served(teacher.source):
            return {"teacher": {"source": teacher.source}}
        return {"teacher": self._source(teacher)} if _answers_as_it_is(teacher) else {}

    def _trained(self, training: Distill | Tune) -> dict[str, object]:
        """The spec of a training, with the settings that change its bytes."""
        spec = {**plain(training), "threads": self.world.threads, "device": self.world.device}
        # Of the files, their conversations decide, which are an input.
        spec.pop("corpus", None)
        if self.world.processes > 1:
            # Their sums have another order. Trainings of one process keep the keys that they always had.
            spec["processes"] = self.world.processes
        if self.world.machines > 1:
            # The threads of each process are others.
            spec["machines"] = self.world.machines
        if training.adapter == "qlora":
            # Other trainings have one merge, or none, and keep the keys that they always had.
            spec["merges"] = 2
        if isinstance(training, Distill) and training.loss and self.world.device == "cpu":
            # Version of the sums of a loss that is computed chunk by chunk on a processor. Others keep their keys.
            spec["chunk_sums"] = 2
        if self.world.sharding != sharding.NONE:
            spec["sharding"] = self.world.sharding
        return spec

    def _source(self, source: Source) -> dict[str, object]:
        parsed = sources.parse(source.source)
        spec: dict[str, object] = {
            "source": source.source,
            "sha256": source.sha256 or self.lock.sha256(source.source),
        }
        if isinstance(parsed, sources.HubSource):
            spec["revision"] = parsed.revision if parsed.pinned else self.lock.revision(source.source)
            pin = self.lock.pins.get(source.source)
            spec["files"] = {file.path: file.sha256 for file in pin.files} if pin else None
        if isinstance(parsed, sources.FileSource):
            # The key uses the file's current content; the stage compares it with the pin.
            spec["content"] = self.world.files.get(parsed.path)
        return spec

    def _export(self) -> dict[str, object]:
        """The name is in the header from the start, because llama.cpp reads it. Other words are added to the finished
        files, see ``zoo.gguf.wording``."""
        return {"type": self.recipe.export.type, "header": {"general.name": self.recipe.name}}

    def _files(self, *parts: str) -> dict[str, object]:
        return {part: [self._file(file) for file in self.recipe.data[part]] for part in parts}

    def _file(self, file: CorpusFile) -> dict[str, object]:
        return {**plain(file), "sha256": self.world.files.get(file.path)}

    def _fetches(self) -> tuple[Fetch, ...]:
        found = {}
        for role in ("student", "teacher"):
            source: Source | None = getattr(self.recipe, role)
            if source and isinstance(sources.parse(source.source), sources.HubSource):
                pin = self.lock.pins.get(source.source)
                size = sum(file.size_bytes for file in pin.files) if pin else source.size_bytes
                found[source.source] = Fetch(role, source.source, size)
        return tuple(found.values())


def own_files(recipe: Recipe) -> list[str]:
    """Paths of the zoo that the plan needs digests of, sorted."""
    paths = {file.path for files in recipe.data.values() for file in files}
    for source in (recipe.student, recipe.teacher):
        parsed = sources.parse(source.source) if source else None
        if isinstance(parsed, sources.FileSource):
            paths.add(parsed.path)
    return sorted(paths | set(recipe.licence_files))
