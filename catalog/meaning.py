"""Rules that a schema cannot express: names and dates, licences, sources, sections that need each other, gates."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from catalog import (
    budgets,
    calibration,
    dataplaces,
    hublists,
    kernels,
    licencefiles,
    licences,
    losses,
    packed,
    placeholders,
    presets,
    schema,
    served,
    shell,
    sources,
    teacherweights,
    tuning,
)
from catalog.cardrules.shape import repo_id_fault
from catalog.jsontext import Json, JsonObject
from catalog.lock import Lock
from catalog.metrics import METRICS
from catalog.paths import THROUGH_LINK, unsafe_reason, unusable_name
from catalog.problems import Problem, did_you_mean, show
from catalog.quants import LADDER
from catalog.yamltext import Document

_ANY_LICENCE = "Write an SPDX identifier such as Apache-2.0, or LicenseRef-NAME for another licence"
_PLACEHOLDER_LICENCE = (
    "Look where the weights come from (LICENSE, the model card), and write its SPDX identifier here, or LicenseRef-NAME"
)


class Meaning:
    """Rules that a schema cannot express. Accepts any shape, because it also runs on data that breaks the schema."""

    def __init__(
        self, document: Document, data: JsonObject, lock: Lock, missing: Callable[[str], str | None]
    ) -> None:
        self.document = document
        self.data = data
        self.lock = lock
        self.missing = missing

    def problems(self, stem: str) -> Iterator[Problem]:
        """Every problem, part by part; ``stem`` is the name of the recipe's file without its ending."""
        say = self.document.problem
        name, date = self.data.get("name"), self.data.get("date")
        # A release carries its recipe as recipe.yaml.
        if isinstance(name, str) and name != stem and stem != "recipe":
            can_be_name = re.fullmatch(schema.load("recipe-v1")["properties"]["name"]["pattern"], stem)
            write = f"Write `name: {stem}`, or rename the file" if can_be_name else "Rename the file"
            yield say(("name",), f"the name {show(name)} differs from the file name", write)
        if isinstance(name, str) and (why := unusable_name(name)):
            yield say(("name",), f"the name {show(name)} {why}", "Choose another name, and rename the file")
        if isinstance(date, str) and not _is_date(date):
            yield say(("date",), f"{show(date)} is not a day", "Write a day as YYYY-MM-DD")
        yield from self._licences()
        yield from licencefiles.problems(self.document, self.data, self.missing)
        yield from self._hub_words()
        yield from self._source("student")
        yield from self._source("teacher")
        yield from self._layers()
        yield from self._corpus()
        yield from self._sections()
        yield from self._probes()
        yield from self._budgets()
        yield from self._gates()
        yield from calibration.problems(self.document, self.data)
        yield from kernels.problems(self.document, self.data)
        yield from losses.problems(self.document, self.data)
        yield from presets.problems(self.document, self.data)
        yield from served.problems(self.document, self.data)
        yield from teacherweights.problems(self.document, self.data)
        yield from tuning.problems(self.document, self.data)

    def _get(self, *path: str | int) -> Json:
        value: Json = self.data
        for part in path:
            if isinstance(part, str) and isinstance(value, dict):
                value = value.get(part)
            elif isinstance(part, int) and isinstance(value, list) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def _licences(self) -> Iterator[Problem]:
        paths: list[tuple[str | int, ...]] = [("licence",), ("student", "licence"), ("teacher", "licence")]
        paths += [(*place, "licence") for _, place, _ in dataplaces.entries(self.data)]
        for path in paths:
            value = self._get(*path)
            if not isinstance(value, str):
                continue
            spelled = licences.canonical(value)
            if value == placeholders.LICENCE:
                what = "this is placeholder text: the source does not state a licence that can be read here"
                yield self.document.problem(path, what, _PLACEHOLDER_LICENCE)
            elif spelled is None:
                known = licences.of_hub(value)
                instead = f"Write {known}" if known else _ANY_LICENCE
                yield self.document.problem(path, f"{show(value)} is not an SPDX licence expression", instead)
            elif spelled != value:
                yield self.document.problem(
                    path, f"{show(value)} has another spelling in SPDX", f"Write {spelled}"
                )

    def _hub_words(self) -> Iterator[Problem]:
        """What the cards will say about it; the Hub must understand them."""
        codes = self._get("languages")
        for index, code in enumerate(codes if isinstance(codes, list) else ()):
            if isinstance(code, str) and code.partition("-")[0] not in hublists.languages():
                what = f"{show(code)} does not begin with a language code of ISO 639"
                yield self.document.problem(("languages", index), what, "Write such as en or fr-CA")
        for path in (
            ("student", "upstream"),
            ("teacher", "upstream"),
            ("publish", "model"),
            ("publish", "dataset"),
        ):
            name = self._get(*path)
            fault = repo_id_fault(name) if isinstance(name, str) else None
            if fault:
                yield self.document.problem(
                    path, f"{show(name)} is not a repository name: {fault}", "Write another name"
                )

    def _source(self, role: str) -> Iterator[Problem]:
        uri = self._get(role, "source")
        if not isinstance(uri, str):
            return
        path, lock = (role, "source"), f"zoo lock {shell.argument(self.document.file)}"
        try:
            source = sources.parse(uri)
        except sources.SourceSyntax as error:
            yield self.document.problem(path, *error.args)
            return
        if isinstance(source, sources.ServerSource):
            return
        if isinstance(source, sources.HubSource):
            if not source.pinned and self.lock.revision(uri) is None:
                what = (
                    f"revision {show(source.revision)} can move"
                    if source.revision
                    else "no revision is given"
                )
                yield self.document.problem(path, what, f"Write the commit after @, or pin it with: {lock}")
        elif not self._get(role, "sha256"):
            instead = f"Add `sha256:`, or run `{lock}` to see the digest"
            if self.lock.sha256(uri) is None:
                yield self.document.problem(path, "the source is not pinned by a sha256", instead)
        elif (locked := self.lock.sha256(uri)) and locked != self._get(role, "sha256"):
            what = f"the recipe pins another sha256 than its lock file, {locked}"
            instead = f"Correct `sha256:`, or write the lock file again with `{lock}`: it looks at the source"
            yield self.document.problem((role, "sha256"), what, instead)
        if isinstance(source, sources.FileSource) and (wrong := self.missing(source.path)):
            instead = "Name an existing file or model folder of the zoo"
            if wrong == THROUGH_LINK:
                copy = f"{source.path.rstrip('/')}-copy"
                words = f"cp -rL {shell.argument(source.path)} {shell.argument(copy)}"
                instead = f"Copy what the link points to: {words}; then write file:{copy}"
            yield self.document.problem(path, f"{show(source.path)} {wrong}", instead)

    def _layers(self) -> Iterator[Problem]:
        layers = self._get("student", "layers")
        numbers = [n for n in layers if isinstance(n, int | float)] if isinstance(layers, list) else []
        if numbers == layers and numbers != sorted(numbers):
            instead = f"Write {sorted(numbers)}"
            yield self.document.problem(
                ("student", "layers"), "the layers are not in ascending order", instead
            )

    def _corpus(self) -> Iterator[Problem]:
        first_use: dict[str, str] = {}
        for part, place, entry in dataplaces.entries(self.data):
            name, path = entry.get("path"), (*place, "path")
            if not isinstance(name, str):
                continue
            suffix, kind = (".txt", "text") if part in dataplaces.TEXTS else (".jsonl", "prompt")
            kind = "conversation" if part.startswith("tune.") else kind
            if reason := unsafe_reason(name):
                yield self.document.problem(
                    path, f"the path {reason}", "Write a path inside the zoo, from its folder"
                )
            elif wrong := self.missing(name):
                yield self.document.problem(path, f"{show(name)} {wrong}", "Name an existing file of the zoo")
            elif PurePosixPath(name).suffix != suffix:
                instead = packed.by_name(name) or f"Write it as {suffix}"
                yield self.document.problem(path, f"a {kind} file ends in {suffix}", instead)
            if name in first_use:
                what = f"{show(name)} is already used under {dataplaces.shown(first_use[name])}"
                yield self.document.problem(path, what, "Use each file once. The parts must not share text")
            first_use.setdefault(name, part)
            if kind == "text" and not entry.get("language"):
                yield self.document.problem(
                    path, "a text file needs its language", "Add `language: en` next to it"
                )

    def _sections(self) -> Iterator[Problem]:
        has = {key for key in ("teacher", "label", "distill") if isinstance(self._get(key), dict)}
        needs = {
            "label": (("teacher",), "labelling needs a teacher"),
            "distill": (("teacher", "label"), "distillation needs a teacher and its labels"),
            "teacher": (("label",), "the teacher is not used: nothing is labelled"),
        }
        for section, (others, why) in needs.items():
            for other in others:
                if section in has and other not in has:
                    yield self.document.problem((section,), why, f"Add a `{other}:` section", key=True)
        for section, part in (("label", "train"), ("distill", "heldout")):
            if section in has and not self._get("corpus", part):
                yield self.document.problem(
                    (section,),
                    f"no prompts under corpus.{part}",
                    f"Add a file under `corpus: {part}:`",
                    key=True,
                )
        if not self._get("corpus", "evaluation"):
            instead = "Add a .txt file under `corpus: evaluation:`"
            yield self.document.problem(
                ("corpus",), "no evaluation text under corpus.evaluation", instead, key=True
            )
        if "label" not in has and self._get("publish", "dataset"):
            what = "a dataset repository, but nothing is labelled"
            yield self.document.problem(
                ("publish", "dataset"), what, "Delete it, or add a `label:` section", key=True
            )
        if "label" in has and isinstance(self._get("publish"), dict) and not self._get("publish", "dataset"):
            yield self.document.problem(
                ("publish",), "the labelled corpus has no repository", "Add `dataset: NAME`", key=True
            )

    def _probes(self) -> Iterator[Problem]:
        names = self._probe_names()
        for index, name in enumerate(names):
            if name in names[:index]:
                path = ("probes", index, "probe")
                yield self.document.problem(path, f"{show(name)} is listed twice", "Name each probe once")

    def _probe_names(self) -> list[str]:
        probes = self._get("probes")
        found = (
            [entry.get("probe") if isinstance(entry, dict) else None for entry in probes or ()]
            if isinstance(probes, list)
            else []
        )
        return [name if isinstance(name, str) else "" for name in found]

    def _budgets(self) -> Iterator[Problem]:
        entries = self._get("quantize", "budgets")
        entries = entries if isinstance(entries, list) else []
        if entries and not self._get("corpus", "calibration"):
            yield self.document.problem(
                ("quantize", "budgets"),
                "a search needs text that is not used for evaluation",
                "Add a .txt file under `corpus: calibration:`",
                key=True,
            )
        ladder = self._get("quantize", "ladder")
        seen = {name for name in ladder if isinstance(name, str)} if isinstance(ladder, list) else set()
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                continue
            path: tuple[str | int, ...] = ("quantize", "budgets", index)
            found = list(budgets.problems(entry))
            for key, what, instead in found:
                yield self.document.problem((*path, *key.split(".")) if key else path, what, instead)
            name = _budget_label(entry)
            if not found and name in seen:
                instead = "Give it a different `name:`"
                yield self.document.problem(path, f"two files are called {show(name)}", instead)
            seen.add(name)

    def _gates(self) -> Iterator[Problem]:
        ladder, entries = self._get("quantize", "ladder"), self._get("quantize", "budgets")
        files = [name for name in ladder if isinstance(name, str)] if isinstance(ladder, list) else []
        if files and isinstance(entries, list):
            files += [_budget_label(entry) for entry in entries if isinstance(entry, dict)]
        type_ = self._get("export", "type")
        exported = type_.upper() if isinstance(type_, str) else "F16"
        gates = self._get("gates")
        for index, gate in enumerate(gates if isinstance(gates, list) else []):
            if not isinstance(gate, dict):
                continue
            path = ("gates", index)
            metric, file = gate.get("metric"), gate.get("file")
            if (gate.get("at_most") is None) == (gate.get("at_least") is None):
                yield self.document.problem(
                    path, "a gate needs one bound", "Write either `at_most:` or `at_least:`"
                )
            # The schema reports unknown types of the ladder; one of them may be what the gate means.
            is_known = isinstance(ladder, list) and all(name in LADDER for name in ladder)
            if isinstance(file, str) and files and is_known and file not in (exported, *files):
                near = did_you_mean(file, [exported, *files])
                instead = f"Did you mean `{near}`?" if near else f"The ladder has: {', '.join(files)}"
                yield self.document.problem((*path, "file"), f"{show(file)} is not in the ladder", instead)
            # The schema reports unknown metrics.
            row = METRICS.get(metric) if isinstance(metric, str) else None
            if row and row.against_export and file == exported:
                yield self.document.problem(
                    (*path, "file"),
                    f"{metric} of {exported} is measured against {exported} itself",
                    "Name a quant, or leave `file:` out for every quant",
                )
            if row and row.of_release and file is not None:
                yield self.document.problem(
                    (*path, "file"), f"{metric} belongs to the release, not to a file", "Delete `file:`"
                )
            if row and (problem := self._unmeasured(row.needs)):
                yield self.document.problem((*path, "metric"), *problem)

    def _unmeasured(self, needs: str) -> tuple[str, str] | None:
        """Why a metric that ``needs`` this section is not measured, and what to write instead."""
        section, _, probe = needs.partition(".")
        if probe:
            missing = probe not in self._probe_names()
            return (
                (f"the recipe has no probe {probe}", "Add it under `probes:` or delete the gate")
                if missing
                else None
            )
        if not section or isinstance(self._get(section), dict):
            return None
        return f"nothing is {_DONE[section]}", f"Add a `{section}:` section or delete the gate"


_DONE = {"distill": "distilled", "label": "labelled"}


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _budget_label(entry: JsonObject) -> str:
    name, fits = entry.get("name"), entry.get("fits")
    device_id = fits.get("device") if isinstance(fits, dict) else None
    texts = [value if isinstance(value, str) else None for value in (name, device_id)]
    return budgets.label(texts[0], entry.get("bytes"), texts[1])
