"""A ladder of six quants with an importance matrix and the KLD of each, compared with llama.cpp's own tools.

Ours: calibrate, quantize six files, evaluate all of them in lock step, in one process and without a base file.
Theirs: llama-imatrix, 6 x llama-quantize, llama-perplexity once for the base file and 6 times against it. Both begin
with the same F16 file of SmolLM2-135M and the same texts, and use the same windows and threads. Then one type is added
to our finished ladder: how many tensors are computed, and which are new?

With ``--until-decided`` ours stops as soon as the starter's gates, comparisons and recommendations are decided, and the
text is followed by the project's pages, so that ``--windows`` may be more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import blocks, early_stop, material, pairs, peers
from benchmarks.blocks import LADDER
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.gguf.imatrix import Imatrix, read_imatrix
from zoo.llama.convert.convert import convert
from zoo.llama.measure import calibrate
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.windows import Early, Text, Windows
from zoo.llama.quantize.presets import choose
from zoo.llama.quantize.quantize import Wanted, quantize

PAIRS = 5
ADDED = "Q5_0"
WINDOW_TOKENS = 512
WINDOWS = 8
TEXTS = "recipes/corpora/texts"


@dataclass(frozen=True)
class Asked:
    """How many windows of how many tokens both sides read, with how many threads, and whether ours may stop early."""

    threads: int
    windows: int
    window_tokens: int
    until_decided: bool


class Sides:
    """Both ways of making and measuring the ladder; each run begins with empty folders."""

    def __init__(self, model: Path, folder: Path, tools: peers.Tools, asked: Asked) -> None:
        self.model, self.folder, self.tools, self.asked, self.threads = model, folder, tools, asked, asked.threads
        self.calibration = self._text("calibration")
        self.evaluation = self._text("evaluation", blocks.pages() if asked.until_decided else "")
        self.ours = folder / "ours"
        self.theirs = folder / "theirs"

    def _text(self, part: str, more: str = "") -> Path:
        """The English and the French text in one file, because llama.cpp's tools take one."""
        found = [
            (material.ROOT / TEXTS / f"{part}.{code}.txt").read_text("utf-8") for code in ("en", "fr-CA")
        ]
        target = self.folder / f"{part}.txt"
        target.write_text("\n".join([*found, more]), encoding="utf-8")
        return target

    def we(self) -> dict[str, Any]:
        """Our ladder: mean KLD of each file, and the bytes on the disk in addition to the quants."""
        _empty(self.ours)
        matrix = calibrate.collect(
            self.model, [self._as_text(self.calibration)], threads=self.threads, window_tokens=self.asked.window_tokens
        )
        matrix.write(self.ours / "imatrix.gguf")
        files = {}
        for name in LADDER:
            files[name] = self.ours / f"{name}.gguf"
            self._quantize(name, matrix)
        made = evaluate(
            self.model,
            files,
            [self._as_text(self.evaluation)],
            Windows(self.asked.window_tokens, self.asked.windows, self._early()),
            threads=self.threads,
        )
        return {
            "kld_mean_nats": {k: v["kld_mean_nats"] for k, v in made["candidates"].items()},
            "base_bytes": 0,
            "windows_read": {name: one["windows"] for name, one in made["candidates"].items()},
        }

    def _early(self) -> Early | None:
        if not self.asked.until_decided:
            return None
        return Early(early_stop.starter(LADDER)[1], self.ours / "blocks")

    def _quantize(self, name: str, matrix: Imatrix) -> dict[str, int]:
        wanted = Wanted(name, imatrix=matrix, allow_fallback=True)
        made = quantize(
            self.model, self.ours / f"{name}.gguf", wanted, threads=self.threads, cache_folder=self.ours / "tensors"
        )
        return {"computed": made.computed, "reused": made.reused}

    def they(self) -> dict[str, Any]:
        """llama.cpp's ladder, the same figures."""
        _empty(self.theirs)
        matrix, base, threads = self.theirs / "imatrix.gguf", self.theirs / "base.kld", str(self.threads)
        window = ("-c", str(self.asked.window_tokens), "-t", threads)
        calibration, evaluation = str(self.calibration), str(self.evaluation)
        self.tools.run(
            "llama-imatrix", "-m", str(self.model), "-f", calibration, "-o", str(matrix), "--no-ppl", *window
        )
        for name in LADDER:
            target = self.theirs / f"{name}.gguf"
            model = str(self.model)
            self.tools.run("llama-quantize", "--imatrix", str(matrix), model, str(target), name, threads)
        common = ("--chunks", str(self.asked.windows), *window, "--kl-divergence-base", str(base))
        self.tools.run("llama-perplexity", "-m", str(self.model), "-f", evaluation, *common)
        found = {}
        for name in LADDER:
            candidate = str(self.theirs / f"{name}.gguf")
            said = self.tools.run("llama-perplexity", "-m", candidate, "--kl-divergence", *common)
            found[name] = peers.numbers(said, "Mean    KLD:")[0]
        return {"kld_mean_nats": found, "base_bytes": base.stat().st_size}

    def add_one(self) -> dict[str, Any]:
        """One more type for our finished ladder: only tensors that no file had may be computed."""
        matrix = read_imatrix(self.ours / "imatrix.gguf")
        made = {
            (name, type_)
            for preset in LADDER
            for name, type_ in choose(self.model, preset, with_imatrix=True).types.items()
        }
        wanted = set(choose(self.model, ADDED, with_imatrix=True).types.items())
        return {"type": ADDED, "tensors_new": len(wanted - made), **self._quantize(ADDED, matrix)}

    def differences(self) -> dict[str, float]:
        """How far our matrix is from llama.cpp's, as shares of a matrix's mean importance."""
        ours, theirs = (read_imatrix(folder / "imatrix.gguf") for folder in (self.ours, self.theirs))
        found = np.concatenate(
            [np.abs(ours.sums[n] - theirs.sums[n]).ravel() / ours.sums[n].mean() for n in ours.sums]
        )
        return {"median": float(np.median(found)), "largest": float(found.max())}

    def _as_text(self, path: Path) -> Text:
        return Text(path.name, "en", path.read_text(encoding="utf-8"))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def f16_file(say: Say) -> Path:
    """SmolLM2-135M as the starter recipe exports it, made once."""
    recipe = material.tutor()
    folder = material.imported(material.teacher_file(recipe), recipe.teacher.sha256, None, say)
    target = material.CACHE / f"{folder.name}-f16.gguf"
    if not target.is_file():
        convert(folder, target, "f16")
    return target


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The F16 file, the texts and both ways; afterwards the ladder gets one type more."""
    model, tools, threads = f16_file(say), peers.tools(say), material.threads_or_cores(arguments.threads)
    asked = Asked(threads, arguments.windows, arguments.window_tokens, arguments.until_decided)
    with tempfile.TemporaryDirectory(prefix="ladder-", dir=material.CACHE) as folder:
        sides = Sides(model, Path(folder), tools, asked)
        settings: dict[str, Any] = {
            "model": "SmolLM2-135M-Instruct, F16",
            "ladder": list(LADDER),
            "window_tokens": asked.window_tokens,
            "windows": asked.windows,
            "until_decided": asked.until_decided,
            "evaluated_tokens": asked.window_tokens * asked.windows,
            "threads": threads,
            "peer": peers.PACKAGE,
        }

        def we() -> dict[str, Any]:
            made = sides.we()
            settings.setdefault("one_type_added", sides.add_one())
            return made

        # The first run is the warm-up, so the extra file is not in any sample's time.
        yield Comparison(
            name="ladder_until_decided" if asked.until_decided else "ladder",
            question="Is our ladder with importance matrix and KLD of each file faster than llama.cpp's tools?",
            a=Side("calibrate, 6 x quantize, evaluate in lock step", we),
            b=Side("llama-imatrix, 6 x llama-quantize, 7 x llama-perplexity", sides.they),
            target=Target("ratio", at_most=0.5 if asked.until_decided else 0.6),
            packages=("llama-cpp-python",),
            settings=settings,
            pairs_minimum=3,
        )
        say(f"importance matrices differ by {sides.differences()}, as shares of a matrix's mean")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("ladder", str(__doc__), PAIRS, threads=True)
    parser.add_argument("--windows", type=int, default=WINDOWS, metavar="N", help="windows of text, %(default)s")
    parser.add_argument(
        "--window-tokens", type=int, default=WINDOW_TOKENS, metavar="N", help="tokens of a window, %(default)s"
    )
    parser.add_argument("--until-decided", action="store_true", help="ours stops as soon as everything is decided")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
