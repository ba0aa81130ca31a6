"""Catalogs to choose from: random ones that reach every branch of the rules, and large ones."""

from __future__ import annotations

import dataclasses
import random

from sitesamples import sample

from catalog.index import Catalog
from catalog.memory import CONTEXTS, need_bytes
from catalog.release import (
    Architecture,
    Cache,
    Loss,
    MemoryNeed,
    Model,
    ModelFile,
    ProbeScore,
    Release,
    Speed,
    YankEvent,
)

TYPES = ("F16", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0", "Q2_K")
BITS = (16.0, 8.5, 6.6, 4.9, 4.55, 3.2)
TASKS = ("chat", "chat", "code", "summary")
LANGUAGES = (("en",), ("en", "fr"), ("fr",), ("de", "en"))
PLACES = ("pi-5-8gb", "pi-4-4gb", "a laptop", "pi-zero-2")


def catalog(models: int, seed: int, files: int = 6) -> Catalog:
    """``models`` models with ``files`` files each; the same seed makes the same catalog."""
    chance = random.Random(seed)
    made = (_model(f"model-{number:05d}", chance, files) for number in range(models))
    return Catalog(tuple(made))


def _model(name: str, chance: random.Random, files: int) -> Model:
    base = sample().models[0]
    parameters = int(10 ** chance.uniform(7.5, 9.9))
    vocabulary = chance.choice((32_000, 49_152, 151_936))
    context = chance.choice((1024, 8192, 32_768))
    cache = chance.randrange(4_000, 90_000)
    release = dataclasses.replace(
        base.releases[0],
        licence=chance.choice(("Apache-2.0", "MIT", "Gemma")),
        architecture=_architecture(parameters, context, vocabulary, chance),
        files=tuple(
            _file(f"{name}-{TYPES[i]}.gguf", i, parameters, vocabulary, context, cache, chance)
            for i in range(files)
        ),
        training=None,
    )
    releases = _releases(release, chance)
    yank = YankEvent("1.1.0", "2026-11-23", "yank", "A <b>fault</b>.", "high", None)
    return dataclasses.replace(
        base,
        name=name,
        task=chance.choice(TASKS),
        languages=chance.choice(LANGUAGES),
        releases=releases,
        maturity="experimental" if int(name[-5:]) % 9 == 4 else None,
        yanks=(yank,) if len(releases) > 1 else (),
    )


def _architecture(parameters: int, context: int, vocabulary: int, chance: random.Random) -> Architecture:
    """Old records say little about what is kept and read; newer ones have windows, states and experts."""
    name = chance.choice(("llama", "llama", "gemma3", "qwen3moe", "newborn"))
    plain = Architecture(name, parameters, context, 30, vocabulary, None)
    if chance.random() < 0.5:
        return plain
    full, windowed, state = chance.randrange(1, 50_000), chance.randrange(30_000), chance.randrange(10**6)
    cache = Cache(
        full,
        *chance.choice(((0, 0, 0), (windowed, 512, 0), (0, 0, state), (windowed, 4096, state))),
        known=True,
    )
    return dataclasses.replace(plain, cache=cache, experts=8, experts_used=2)


def _releases(release: Release, chance: random.Random) -> tuple[Release, ...]:
    """Now and then a newer version, which is yanked."""
    newer = dataclasses.replace(release, version="1.1.0", files=release.files[:2])
    return (newer, release) if chance.random() < 0.15 else (release,)


def _file(
    path: str,
    place: int,
    parameters: int,
    vocabulary: int,
    context: int,
    cache: int,
    chance: random.Random,
) -> ModelFile:
    size = int(parameters * BITS[place] / 8 * chance.uniform(0.95, 1.2))
    kld = 0.0015 * 3.6**place * chance.uniform(0.4, 2)
    loss = Loss(
        1536, kld, kld * chance.choice((0.05, 0.05, 0.3, 2.5)), kld * 9, max(0.0, 1 - kld), 0.01, 0.01, 0.01
    )
    listed = [c for c in CONTEXTS if c <= context]
    needs = tuple(
        MemoryNeed(c, need_bytes(size, Cache(cache, 0, 0, 0, True), vocabulary, c) + chance.choice((0, 0, 7)))
        for c in listed
    )
    speeds = tuple(_speed(size, chance) for _ in range(chance.choice((0, 1, 3, 5))))
    probes = (
        ProbeScore("arithmetic", "en", chance.randrange(40, 100), 100, 0.4, 0.9),
        ProbeScore("pairs_fr", "fr", chance.randrange(40, 100), 100, 0.4, 0.9),
    )
    return ModelFile(
        path,
        TYPES[place],
        size,
        f"{chance.getrandbits(256):064x}",
        BITS[place],
        272,
        chance.choice((0, 0, 180)),
        needs if chance.random() < 0.97 else (),
        chance.choice((14.25, 14.25, 9.5, 0.0)),
        0.5,
        loss if place else None,
        chance.random() < 0.9,
        speeds,
        probes=probes[: chance.choice((0, 1, 2, 2))],
        read_bytes=chance.choice((None, None, size, size // 3, 0)),
    )


def _speed(size: int, chance: random.Random) -> Speed:
    where = chance.choice(PLACES)
    # Sometimes above what the memory of any board delivers.
    speed = chance.uniform(0.1, 14e9) / size
    threads, valid = chance.choice((1, 4)), chance.random() < 0.9
    return Speed(where, "cpu", threads, 9.0, speed, 0.1, 0.1, None, valid, (), "bench/F16.json")
