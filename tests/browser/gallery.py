"""Catalogs whose site has a page of every type: an ordinary one, and the same with hostile text where it may stand."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import answers
import evidencesamples
from sitesamples import HOSTILE, LONG, sample

from catalog import index, watch
from catalog.index import Catalog
from catalog.release import EvidenceFile, ProbeScore, Release, Reproduction, YankEvent
from catalog.watch import Finding, Report, Watched

MODEL, TUTOR, WITHDRAWN, FORMER = "smollm2-135m-instruct", "smollm2-tutor-57m", "withdrawn", "smollm2-gguf"

TYPES = {
    "front": "?board=pi-5-8gb",
    "board": "boards/pi-zero-2/",
    "boards": "boards/",
    "models": "models/",
    "files": "files/",
    "model": f"models/{MODEL}/",
    "tutor": f"models/{TUTOR}/",
    "version": f"models/{TUTOR}/1.0.0/",
    "short-version": f"models/{TUTOR}/1.1.0/",
    "dataset": f"models/{TUTOR}/1.1.0/dataset/",
    "yanked": f"models/{WITHDRAWN}/",
    "pictures": "pictures/",
    "compare": f"compare/?a={MODEL}%401.0.0%3AQ8_0&b={MODEL}%401.0.0%3AQ4_0",
    "compare-files": f"compare/{MODEL}/",
    "speed": f"models/{MODEL}/1.0.0/evidence/speed/",
    "loss": f"models/{MODEL}/1.0.0/evidence/loss/",
    "probes": f"models/{MODEL}/1.0.0/evidence/probes/",
    "gates": f"models/{MODEL}/1.0.0/evidence/gates/",
    "smoke": f"models/{MODEL}/1.0.0/evidence/smoke/",
    "try": f"try/?model={MODEL}",
    "document": "how-to/write-a-recipe/",
    "recipe": "reference/recipe/",
    "commands": "reference/commands/",
    "404": "404.html",
}
"""A name for each type of page, and the address of one of the type. Redirect pages lead to one of these."""

READY = {
    "front": answers.ANSWERED,
    "files": "() => document.querySelector('.zoo-sort')",
    "try": "() => document.querySelector('.zoo-state').textContent",
    "compare": "() => document.querySelector('.zoo-said').textContent",
    "document": "() => document.querySelector('.md-code__nav[aria-label]')",
}
"""What is true once the scripts of a type of page have done what they do unasked."""

REDIRECT = f"models/{FORMER}/"


def catalog() -> Catalog:
    """Models with yanks, a former name, a reproduction, probes, a dataset and the evidence that pictures need."""
    plain, tutor = sample().models
    first = plain.releases[0]
    probes = (ProbeScore("arithmetic", "en", 31, 104, 0.2, 0.4), ProbeScore("pairs", None, 60, 104, 0.5, 0.7))
    files = tuple(dataclasses.replace(file, probes=probes) for file in first.files)
    plain = dataclasses.replace(plain, former_names=(FORMER,), releases=(with_evidence(first, files=files),))
    again = Reproduction("1.1.0", "2026-11-23", False, 1, 2, 271, 272, ("a tool 1",), "repro.json")
    yank = YankEvent("1.0.0", "2026-11-23", "yank", "It loses more than it should.", "high", f"{TUTOR}@1.1.0")
    newest, older = tutor.releases
    tutor = dataclasses.replace(
        tutor, releases=(with_evidence(newest), with_evidence(older)), yanks=(yank,), reproductions=(again,)
    )
    gone = dataclasses.replace(yank, replacement=None, severity="critical")
    withdrawn = dataclasses.replace(plain, name=WITHDRAWN, former_names=(), yanks=(gone,))
    return Catalog((plain, tutor, withdrawn))


def hostile() -> Catalog:
    """``catalog()`` with hostile words in every text that the schema allows to hold them."""
    data = json.loads(index.to_text(catalog()))
    kinds: dict[tuple[str, ...], list[Place]] = {}
    for place in _texts(data):
        kinds.setdefault(tuple(key for key in place if isinstance(key, str)), []).append(place)
    for kind, places in kinds.items():
        # With another path a measured speed has no page, and a page with hostile words in it could not be looked at.
        if kind[-1] == "evidence":
            continue
        changed = (_changed(data, places, words) for words in _WORDS)
        data = next((one for one in changed if not index.parse(json.dumps(one), "hostile")[1]), data)
    return index.parse(json.dumps(data), "hostile")[0]


def hostile_kinds() -> set[str]:
    """The names of the fields that ``hostile`` fills."""
    data = json.loads(index.to_text(hostile()))
    places = (place for place in _texts(data) if "alert(1)" in _get(data, place))
    return {".".join(key for key in place if isinstance(key, str)) for place in places}


def evidence(of_catalog: Catalog) -> Iterator[tuple[str, bytes]]:
    """Path below the evidence folder and content of every evidence file."""
    for model in of_catalog.models:
        for release in model.releases:
            for file in release.evidence:
                yield f"{model.name}/{release.version}/{file.path}", CONTENTS.get(file.path, PLAIN)


def show(open_page: Any, kind: str, site: str, **options: Any) -> Any:
    """A Playwright page of this type, with its scripts at rest."""
    page = open_page(site + TYPES[kind], **options)
    if kind in READY:
        page.wait_for_function(READY[kind])
    return page


def watched() -> Report:
    """A watch that found everything as recorded but one file."""
    release = Watched(MODEL, "1.0.0", f"local/{MODEL}", "a" * 40, "a" * 40, 7, 7, 0)
    lost = Finding("missing", MODEL, "1.0.0", "zoo/m", "x.gguf", "a" * 40, "1" * 64, None, "x.gguf is not there")
    return Report("2026-11-24", 8, (release,), (), (lost,), ())


def write(of_catalog: Catalog, folder: Path) -> None:
    """A zoo of this catalog in ``folder``, ready to build its site."""
    (folder / "zoo.toml").write_text("")
    (folder / "model_catalog.json").write_text(index.to_text(of_catalog), encoding="utf-8")
    for path, content in evidence(of_catalog):
        place = folder / "site" / "evidence" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (folder / "site" / "evidence" / watch.FILE).write_text(watch.to_text(watched()), encoding="utf-8")


# --- Evidence

PLAIN = b'{"sample": true}\n'


def _dataset_report(tag: str) -> bytes:
    lengths = dict(zip(("min", "p25", "median", "p75", "p95", "max"), (3, 20, 41, 80, 212, 900), strict=True))
    split: dict[str, Any] = {"name": tag[:40] or "train", "rows": 200, "json_rows": 12}
    split |= {"tags": {tag or "arithmetic": 40, "fr-CA": 31}, "languages": {"fr-CA": 31, tag[:30] or "en": 120}}
    split |= {"finish": {tag or "stop": 198, "length": 2}, "characters": {tag or "user": lengths}}
    return json.dumps({"schema": "dataset-report/1", "splits": [split]}).encode()


def _with_hostile_words(content: object, said: str) -> bytes:
    """The JSON of ``content`` with hostile words before the words ``said``, which it has."""
    text = json.dumps(content)
    assert said in text
    return text.replace(said, json.dumps(HOSTILE)[1:-1] + " " + said).encode()


CONTENTS = {
    "bench/Q8_0.json": _with_hostile_words(evidencesamples.bench("Q8_0"), "Debian 12"),
    "bench/F16.json": json.dumps(evidencesamples.bench("F16")).encode(),
    "bench/Q4_K_M.json": json.dumps(evidencesamples.bench("Q4_K_M", valid=False)).encode(),
    "evaluation.json": json.dumps(evidencesamples.evaluation()).encode(),
    "probes.json": _with_hostile_words(evidencesamples.probes(), "The last number"),
    "gates.json": _with_hostile_words(evidencesamples.gates(), "it must be"),
    "smoke.json": _with_hostile_words(evidencesamples.smoke(), "Blue."),
    "dataset-report.json": _dataset_report(HOSTILE),
    "distill-report.json": json.dumps(
        {"loss_curve": [{"step": n, "loss": 4.0 / n, "learning_rate": 1e-4} for n in range(1, 31)]}
    ).encode(),
}
"""Content of evidence files by path; that of the others is of no meaning."""


def with_evidence(release: Release, **changes: Any) -> Release:
    """The release with digests of what ``evidence`` gives, and the reports that pictures are made from."""
    paths = {file.path for file in release.evidence} | {"repro.json", "probes.json", "gates.json", "smoke.json"}
    paths |= {"dataset-report.json", "distill-report.json"} if release.dataset else set()
    return dataclasses.replace(release, evidence=_listed(paths), **changes)


def _listed(paths: set[str]) -> tuple[EvidenceFile, ...]:
    contents = {path: CONTENTS.get(path, PLAIN) for path in sorted(paths)}
    return tuple(EvidenceFile(path, len(c), hashlib.sha256(c).hexdigest()) for path, c in contents.items())


# --- Hostile words

_WORDS = (HOSTILE + LONG, HOSTILE + LONG[:1500], HOSTILE, HOSTILE[:100], HOSTILE[:40], "<b>*x*{{7}}</b>")


Place = tuple[str | int, ...]


def _texts(data: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all texts."""
    if isinstance(data, str):
        yield place
    elif isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _texts(value, (*place, key))


def _get(data: Any, place: Place) -> Any:
    for key in place:
        data = data[key]
    return data


def _changed(data: Any, places: list[Place], words: str) -> Any:
    changed = copy.deepcopy(data)
    for place in places:
        _get(changed, place[:-1])[place[-1]] = words
    return changed
