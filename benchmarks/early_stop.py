"""How often an evaluation that stops early decides what the full one would, on measured windows of text.

``benchmarks.blocks`` has measured the windows. Every trial draws a text from them, with replacement (bootstrap): the
full run reads all, the early one stops by ``zoo.judge.deciding``. Compared are the verdicts of the starter's gates,
which of any two files is worse, the files that another one beats, and the recommendation for every device profile.
Then the promise of the intervals is counted: in how many trials does any look miss the mean, for every figure and pair?
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import material
from benchmarks.pairs import kept, tell
from catalog import device as devices
from catalog import index, jsontext
from catalog.checks import check_recipe
from catalog.recipe import Recipe, build
from catalog.release import Loss, Release
from zoo.choose.domination import worse
from zoo.choose.pick import Shelf
from zoo.judge import gates
from zoo.judge.deciding import TOKENS, Figures, read_on
from zoo.judge.questions import KLD, Question, Rule
from zoo.judge.sequence import interval
from zoo.llama.measure.early import BLOCK_WINDOWS
from zoo.plan.evaluation import evaluation

RECIPE = "recipes/smollm2-135m-instruct.yaml"
BLOCKS = Path(__file__).parent / "results" / "evaluation_blocks.json"
NAMES = {KLD: "kld_nats", "same_top_share": "same_top", "ln_ppl_ratio": "nll_difference_nats"}
ERRORS = {KLD: "kld_mean_se_nats", "same_top_share": "same_top_share_se", "ln_ppl_ratio": "ln_ppl_ratio_se"}
TRIALS, SEED = 200, 2026
STARTER = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0")
SETTINGS = (("starter", 20), ("starter", 60), ("starter", 120), ("six", 20), ("six", 60), ("six", 120))
"""Ladder of the starter recipe or all six files, and windows of the full run."""
COVERED_WINDOWS = 40
ALPHA = 0.05
LEAST_AGREEMENT = 0.99
CONTEXT_TOKENS = 2048

Values = NDArray[np.float64]
Table = Mapping[tuple[str, str], Values]


def starter(ladder: Sequence[str]) -> tuple[Recipe, Rule]:
    """The starter's recipe with another ladder, and what its evaluation is asked if it may stop when it is decided."""
    recipe = check_recipe(material.ROOT / RECIPE, material.ROOT).recipe
    assert recipe
    asked = dataclasses.replace(recipe.evaluate, until="decided")
    quantize = dataclasses.replace(recipe.quantize, ladder=tuple(ladder))
    changed = dataclasses.replace(recipe, evaluate=asked, quantize=quantize)
    questions = evaluation(changed, ("F16", *ladder))["questions"]
    assert isinstance(questions, list)
    return changed, Rule(tuple(build(Question, one) for one in questions), None)


class Zoo:
    """The starter's recipe with the ladder of the blocks, and releases with losses of any windows."""

    def __init__(self, blocks: Mapping[str, Any], files: Sequence[str] = ()) -> None:
        self.files = tuple(files or blocks["files"])
        self.scored = int(blocks["scored_tokens_per_window"])
        self.table: Table = {
            (file, metric): np.array(blocks["files"][file][name])
            for file in self.files
            for metric, name in NAMES.items()
        }
        self.count = len(self.table[self.files[0], KLD])
        self.recipe, self.rule = starter(self.files)
        catalog, _ = index.parse((material.ROOT / "model_catalog.json").read_text("utf-8"), "model_catalog.json")
        model = next(one for one in catalog.models if one.name == self.recipe.name)
        self.base: Release = model.releases[0]
        self.sizes: Mapping[str, int] = blocks["sizes_bytes"]

    def release(self, read: Mapping[str, NDArray[np.int64]]) -> Release:
        """The release whose losses are measured on these windows of each file."""
        first = next(file for file in self.base.files if file.loss is None)
        like = next(file for file in self.base.files if file.loss is not None)
        made = [dataclasses.replace(first, speeds=())]
        for name, places in read.items():
            size = self.sizes[name]
            one = dataclasses.replace(like, path=f"{name}.gguf", type=name, size_bytes=size, speeds=(), read_bytes=None)
            made.append(dataclasses.replace(one, loss=self._loss(name, places)))
        return dataclasses.replace(self.base, files=tuple(made))

    def _loss(self, name: str, places: NDArray[np.int64]) -> Loss:
        figures: dict[str, float] = {}
        for metric, error in ERRORS.items():
            values = self.table[name, metric][places]
            figures |= {metric: float(values.mean()), error: float(values.std(ddof=1)) / math.sqrt(len(values))}
        return build(Loss, {"tokens": len(places) * self.scored, "kld_p99_nats": 0.0, "languages": [], **figures})

    def decisions(self, read: Mapping[str, NDArray[np.int64]]) -> dict[str, object]:
        """What a release with these losses says."""
        release = self.release(read)
        shelf = Shelf(release)
        context = min(CONTEXT_TOKENS, release.architecture.context_tokens)
        taken = {one.id: shelf.take(one, context) for one in devices.DEVICES}
        return {
            "gates": [(one.metric, one.file, one.kept) for one in gates.judge(self.recipe, release.files, None, None)],
            "worse": [(a.path, b.path) for a, b in itertools.permutations(release.files, 2) if worse(a, b)],
            "beaten": sorted(shelf.dominated()),
            "picks": {id_: file.path if file else None for id_, file in taken.items()},
        }

    def early(self, places: NDArray[np.int64]) -> dict[str, int]:
        """Windows that an early run reads of each file."""
        sizes = [len(places[start : start + BLOCK_WINDOWS]) for start in range(0, len(places), BLOCK_WINDOWS)]

        def fetch(number: int, names: Sequence[str]) -> Figures:
            block = places[number * BLOCK_WINDOWS :][: sizes[number]]
            found = {key: values[block].tolist() for key, values in self.table.items() if key[0] in names}
            return {**found, **{(file, TOKENS): [self.scored] * len(block) for file in names}}

        return read_on(self.rule, self.files, sizes, fetch, lambda _: True)[1]


def agreement(zoo: Zoo, ladder: str, windows: int, random: np.random.Generator) -> dict[str, Any]:
    """Early runs against full ones, on ``windows`` windows each."""
    read, shares, same, parts = [], [], 0, dict.fromkeys(("gates", "worse", "beaten", "picks"), 0)
    for _ in range(TRIALS):
        places = random.integers(zoo.count, size=windows)
        counts = zoo.early(places)
        full = zoo.decisions(dict.fromkeys(zoo.files, places))
        early = zoo.decisions({file: places[:count] for file, count in counts.items()})
        read.append(counts)
        # The reference reads as many as the file that reads most.
        shares.append((sum(counts.values()) + max(counts.values())) / (windows * (len(zoo.files) + 1)))
        same += full == early
        for name in parts:
            parts[name] += full[name] == early[name]
    most = [max(counts.values()) for counts in read]
    return {
        "ladder": ladder,
        "windows": windows,
        "trials": TRIALS,
        "agreed": same,
        "agreed_by_part": parts,
        "windows_read": {**_spread(most), "fewest": min(most), "most": max(most), "mean": float(np.mean(most))},
        "windows_read_by_file": {file: _spread([counts[file] for counts in read]) for file in zoo.files},
        "share_of_the_reading": _spread(shares),
        "stopped_early": sum(count < windows for count in most),
    }


def _spread(values: Sequence[float]) -> dict[str, list[float]]:
    return {"quartiles": [float(one) for one in np.percentile(values, [25, 50, 75])]}


def coverage(zoo: Zoo, step: int, random: np.random.Generator) -> dict[str, Any]:
    """Trials in which any look of a sequence at ALPHA misses, for every figure and the difference of every pair.

    step: windows between two looks.
    """
    windows = COVERED_WINDOWS
    series: dict[str, Values] = {f"{metric} of {file}": values for (file, metric), values in zoo.table.items()}
    series |= {
        f"{KLD} of {a} - {b}": zoo.table[a, KLD] - zoo.table[b, KLD] for a, b in itertools.combinations(zoo.files, 2)
    }
    missed = {"all windows": dict.fromkeys(series, 0), "endless text": dict.fromkeys(series, 0)}
    for _ in range(TRIALS):
        drawn = random.integers(zoo.count, size=windows)
        for name, values in series.items():
            own = values[drawn]
            missed["all windows"][name] += _misses(own, step, float(own.mean()), windows)
            missed["endless text"][name] += _misses(own, step, float(values.mean()), None)
    return {
        target: {
            "windows": windows,
            "looks_every": step,
            "trials": TRIALS,
            "promised": ALPHA,
            "mean": sum(found.values()) / len(found) / TRIALS,
            "worst": max(found.values()) / TRIALS,
            "worst_of": max(found, key=found.__getitem__),
            "sequences": len(found),
        }
        for target, found in missed.items()
    }


def _misses(values: Values, step: int, mean: float, population: int | None) -> bool:
    for count in range(step, len(values), step):
        low, high = interval(values[:count], ALPHA, population)
        if not low - 1e-12 <= mean <= high + 1e-12:
            return True
    return False


def bernstein(values: Values, alpha: float) -> float:
    """Half the empirical-Bernstein sequence for figures between 0 and 1: Waudby-Smith and Ramdas, "Estimating means of
    bounded random variables by betting", JRSS B 86 (2024), theorem 2."""
    count = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (count + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    centres = np.concatenate([[0.5], means[:-1]])
    bets = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (before * count * np.log(1 + count))), 0.5)
    costs = (values - centres) ** 2 * (-np.log(1 - bets) - bets)
    return float((math.log(2 / alpha) + costs.sum()) / bets.sum())


def widths(zoo: Zoo, random: np.random.Generator) -> dict[str, Any]:
    """Half an interval for the share of same top tokens of the worst file, by either method and by windows read."""
    file = zoo.files[-1]
    values = zoo.table[file, "same_top_share"][random.integers(zoo.count, size=400)]
    found = {}
    for count in (10, 20, 50, 100, 200, 400):
        low, high = interval(values[:count], ALPHA)
        found[str(count)] = {"t": (high - low) / 2, "empirical_bernstein": bernstein(values[:count], ALPHA)}
    return {"file": file, "half_width_by_windows": found}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.early_stop", description=__doc__)
    parser.add_argument("--blocks", type=Path, default=BLOCKS, metavar="FILE", help="windows, %(default)s")
    parser.add_argument(
        "--look-every", type=int, default=BLOCK_WINDOWS, metavar="N", help="windows between two looks, %(default)s"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON document there")
    arguments = parser.parse_args(argv)
    blocks = jsontext.parse(arguments.blocks.read_bytes())
    assert isinstance(blocks, dict)
    zoo, random = Zoo(blocks), np.random.default_rng(SEED)
    ladders = {"six": zoo, "starter": Zoo(blocks, STARTER)}
    compared = []
    for ladder, windows in SETTINGS:
        compared.append(agreement(ladders[ladder], ladder, windows, random))
        tell(str(compared[-1]))
    covered = coverage(zoo, arguments.look_every, random)
    result = {
        "schema": "early-stop/1",
        "seed": SEED,
        "block_windows": BLOCK_WINDOWS,
        "blocks": {name: blocks[name] for name in ("model", "window_tokens", "windows", "tokens_sha256", "versions")},
        "gates": [dataclasses.asdict(gate) for gate in zoo.recipe.gates],
        "ladders": {name: list(one.files) for name, one in ladders.items()},
        "agreement": compared,
        "coverage": covered,
        "methods": widths(zoo, random),
        "kept": all(one["agreed"] >= LEAST_AGREEMENT * TRIALS for one in compared)
        and all(one["mean"] <= ALPHA for one in covered.values()),
    }
    return kept(result, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
