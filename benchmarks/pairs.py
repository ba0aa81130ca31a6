"""Runs two ways of doing the same work in pairs and compares their figures.

The order inside a pair alternates (A B, B A, A B, ...), so that a machine that slowly becomes faster or slower does not
favour a side. The ratio is taken inside each pair, because both halves of a pair run under the same conditions; the
median of those ratios is the result. For a disturbed run, ``valid`` is false and ``reasons`` says why.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pi_runtime import system, verdict
from pi_runtime.settings import CouldNot
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

SCHEMA = "benchmark/1"
PAIRS_MINIMUM = int(verdict.THRESHOLDS["samples_minimum"])
SPREAD_MAXIMUM = verdict.THRESHOLDS["spread_maximum"]

METHOD = {
    "order": "A B, B A, A B, ...; the warm-up runs are not counted",
    "wall_seconds": "around the whole call, by a monotonic clock",
    "tokens_per_second": "tokens that the call returned / wall_seconds",
    "ratio": "A's figure / B's figure inside each pair; the result is the median over the pairs",
    "quartiles": verdict.QUARTILE_RULE,
    "spread": "(upper quartile - lower quartile) / median",
    "others_cpu_share": "(busy time of the whole machine - CPU time of this process and its finished children) / "
    "all CPU time, over all pairs",
}

Work = Callable[[], Mapping[str, Any]]
"""One run. What it returns (such as ``tokens``) becomes part of its sample; keys carry units."""

Say = Callable[[str], None]


class Watch(Protocol):
    """Measures how much of the machine other processes use, from its creation on."""

    def others(self) -> float | None:
        """Share of all CPU time, 0 to 1; None if unknown."""


@dataclass(frozen=True)
class Side:
    """One of the two ways."""

    name: str
    run: Work


@dataclass(frozen=True)
class Target:
    """A bound for the median of ``of``: ``ratio``, or ``a`` for side A's own figure."""

    of: str
    at_most: float | None = None
    at_least: float | None = None

    def reached(self, value: float) -> bool:
        """Whether ``value`` is within the bounds."""
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )


@dataclass(frozen=True)
class Comparison:
    """figure: the key of a sample whose ratio is taken. settings: the work of both sides.

    spread_maximum: how far apart the ratios may be (quartile distance over median) for a valid result.
    """

    name: str
    question: str
    a: Side
    b: Side
    target: Target
    figure: str = "wall_seconds"
    packages: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairs_minimum: int = PAIRS_MINIMUM
    spread_maximum: float = SPREAD_MAXIMUM
    warmups: int = 1


def watch_cpu() -> Watch:
    """The machine's busy time minus that of this process and of its finished children."""
    return system.CpuShare(own_seconds=lambda: system.own_cpu_seconds() + _children_cpu_seconds())


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare(
    comparison: Comparison,
    count: int,
    say: Say,
    *,
    clock: Callable[[], float] = time.perf_counter,
    watching: Callable[[], Watch] = watch_cpu,
) -> dict[str, Any]:
    """Warm up, run ``count`` pairs and return the whole report."""
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = system.conditions()
    watch = watching()
    for number in range(comparison.warmups):
        say(f"warm-up {number + 1} of {comparison.warmups}")
        for side in (comparison.a, comparison.b):
            _sample(side, clock)
    for complaint in verdict.busy(watch.others()) if comparison.warmups else []:
        say(f"before the samples, {complaint}; the run is unlikely to be valid")
    watch = watching()
    measured = [_pair(comparison, number, count, say, clock) for number in range(1, count + 1)]
    conditions = {"before": before, "after": system.conditions(), "others_cpu_share": watch.others()}
    return report(comparison, measured, conditions, started)


def _pair(
    comparison: Comparison, number: int, count: int, say: Say, clock: Callable[[], float]
) -> dict[str, Any]:
    sides = {"a": comparison.a, "b": comparison.b}
    order = ("a", "b") if number % 2 else ("b", "a")
    samples = {letter: _sample(sides[letter], clock) for letter in order}
    found = {
        "number": number,
        "ran_first": order[0],
        "a": samples["a"],
        "b": samples["b"],
        "ratio": ratio(samples["a"], samples["b"], comparison.figure),
    }
    figures = " and ".join(f"{samples[letter][comparison.figure]:.4g}" for letter in sides)
    say(f"pair {number} of {count}: {comparison.figure} {figures}, ratio {found['ratio']:.3f}")
    return found


def _sample(side: Side, clock: Callable[[], float]) -> dict[str, Any]:
    start = clock()
    returned = side.run()
    seconds = clock() - start
    if seconds <= 0:
        raise ZooError(f"the clock did not advance while {side.name} ran")
    sample = {"wall_seconds": seconds, **returned}
    if "tokens" in returned:
        sample["tokens_per_second"] = returned["tokens"] / seconds
    return sample


def ratio(a: Mapping[str, Any], b: Mapping[str, Any], figure: str) -> float:
    """A's figure over B's. Raises ZooError if B's is not above zero, because then there is no ratio."""
    if b[figure] <= 0:
        raise ZooError(f"side B has {figure} {b[figure]}, so there is no ratio")
    return float(a[figure] / b[figure])


def report(
    comparison: Comparison, measured: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any], started: str
) -> dict[str, Any]:
    """The JSON document of finished pairs."""
    ratios = verdict.distribution([pair["ratio"] for pair in measured])
    sides = {
        letter: {
            "name": side.name,
            comparison.figure: verdict.distribution([pair[letter][comparison.figure] for pair in measured]),
        }
        for letter, side in (("a", comparison.a), ("b", comparison.b))
    }
    why = reasons(comparison, len(measured), ratios["spread"], conditions["others_cpu_share"])
    return {
        "schema": SCHEMA,
        "name": comparison.name,
        "question": comparison.question,
        "measured_at_utc": started,
        "valid": not why,
        "reasons": why,
        "thresholds": {
            "pairs_minimum": comparison.pairs_minimum,
            "spread_maximum": comparison.spread_maximum,
            "others_cpu_share_maximum": verdict.THRESHOLDS["others_cpu_share_maximum"],
        },
        "figure": comparison.figure,
        "ratio": ratios,
        **sides,
        "target": _target(comparison, ratios, sides),
        "pairs": list(measured),
        "settings": {"warmups": comparison.warmups, **comparison.settings},
        "versions": versions(comparison.packages),
        "machine": system.device(None),
        "conditions": dict(conditions),
        "method": METHOD,
    }


def reasons(comparison: Comparison, count: int, spread: float | None, share: float | None) -> list[str]:
    """Why the run is not valid; empty if it is."""
    found = []
    if count < comparison.pairs_minimum:
        found.append(f"{count} of the {comparison.pairs_minimum} required pairs")
    found += verdict.busy(share)
    if spread is not None and spread > comparison.spread_maximum:
        limit = comparison.spread_maximum
        found.append(
            f"the ratios are spread over {spread:.0%} of their median; at most {limit:.0%} is allowed"
        )
    return found


def _target(
    comparison: Comparison, ratios: Mapping[str, Any], sides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    target = comparison.target
    median = ratios["median"] if target.of == "ratio" else sides[target.of][comparison.figure]["median"]
    return {
        "of": "ratio" if target.of == "ratio" else f"{target.of}.{comparison.figure}",
        "at_most": target.at_most,
        "at_least": target.at_least,
        "median": median,
        "reached": target.reached(median),
    }


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Python's version and those of ``packages``; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("model-zoo-publisher", *packages):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def parser(name: str, description: str, pairs: int, *, threads: bool = False) -> argparse.ArgumentParser:
    """The options that every benchmark has; ``threads`` for those that run models."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    made.add_argument("--pairs", type=_positive, default=pairs, metavar="N", help="pairs to run, %(default)s")
    made.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    if threads:
        made.add_argument("--threads", type=_positive, metavar="N", help="one for each core unless given")
    return made


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def main(
    arguments: argparse.Namespace,
    prepare: Callable[[argparse.Namespace, Say], AbstractContextManager[Comparison]],
) -> int:
    """Prepare, compare, answer on stdout. Returns 0 for a valid run and 1 for a disturbed one.

    1 or 2 without a document if nothing could be measured.
    """
    try:
        with prepare(arguments, tell) as comparison:
            document = compare(comparison, arguments.pairs, tell)
        return _answer(document, arguments.out)
    except (ZooError, CouldNot) as error:
        tell(str(error))
        return error.exit_code
    except OSError as error:
        tell(f"{error.filename or 'a file'}: {error.strerror or error}")
        return 1


def _answer(document: Mapping[str, Any], out: Path | None) -> int:
    text = pretty_json(document)
    sys.stdout.write(text)
    sys.stdout.flush()
    if out is not None:
        write_atomic(out, text)
    tell(conclusion(document))
    return 0 if document["valid"] else 1


def conclusion(document: Mapping[str, Any]) -> str:
    """One line for a person."""
    if not document["valid"]:
        return f"disturbed, so the figures do not count: {'; '.join(document['reasons'])}"
    a, b = document["a"]["name"], document["b"]["name"]
    target = "reached" if document["target"]["reached"] else "missed"
    median = document["ratio"]["median"]
    return f"valid: {document['figure']} of {a} / {b} is {median:.3f}; the target is {target}"


def kept(result: Mapping[str, Any], out: Path | None) -> int:
    """Write the document and tell all of it but the samples; the exit code, 1 if a bound was not kept."""
    if out:
        write_atomic(out, pretty_json(result))
    tell(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=2))
    return 0 if result["kept"] else 1


def tell(line: str) -> None:
    """Messages go to stderr; stdout is for the document."""
    print(line, file=sys.stderr, flush=True)
