"""Figures of many windows of real text for a ladder of six, kept for ``benchmarks.early_stop``.

The files are those of ``benchmarks.ladder``, made from SmolLM2-135M. The texts are the starter's evaluation texts and
the project's own pages, which are longer. Only means by window are kept, because that is what an early stop looks at.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import material, smollm2
from benchmarks.pairs import Say, tell, versions
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.llama.measure import calibrate, lockstep
from zoo.llama.measure.windows import Text, cut, take, tokens_sha256
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import unheard

LADDER = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_NL", "Q4_0")
WINDOW_TOKENS = 256
PAGES = ("explanation", "guide", "how-to", "tutorial")
SEED = 2026
DIGITS = 7


def pages() -> str:
    """The project's pages as one text."""
    folder = material.ROOT / "site" / "docs"
    found = [path for part in PAGES for path in sorted((folder / part).glob("*.md"))]
    return "\n\n".join(path.read_text(encoding="utf-8") for path in found)


def texts() -> list[Text]:
    """The starter's evaluation texts, and the pages."""
    return [*smollm2.texts("evaluation"), Text("pages", "en", pages())]


def measure(windows: int, threads: int, out: Path, say: Say) -> None:
    """Write the document after every twenty windows, so that a run may be ended at any time."""
    source = smollm2.f16_file(say)
    with tempfile.TemporaryDirectory(prefix="blocks-", dir=material.CACHE) as folder:
        files = _ladder(source, Path(folder), threads, say)
        with lockstep.opened({"": source, **files}, WINDOW_TOKENS) as models:
            judge = models.pop("")
            cuts = cut(judge, texts(), WINDOW_TOKENS, 10_000)
            every = take(judge, cuts, WINDOW_TOKENS)
            random.Random(SEED).shuffle(every)
            every = every[:windows]
            document: dict[str, Any] = {
                "schema": "evaluation-blocks/1",
                "model": "SmolLM2-135M-Instruct, F16",
                "sizes_bytes": {name: path.stat().st_size for name, path in files.items()},
                "window_tokens": WINDOW_TOKENS,
                "scored_tokens_per_window": len(every[0].targets),
                "seed": SEED,
                "versions": versions(("llama-cpp-python",)),
                "machine": system.device(None),
                "files": {name: {"kld_nats": [], "same_top": [], "nll_difference_nats": []} for name in files},
            }
            for start in range(0, len(every), 20):
                part = every[start : start + 20]
                _, found = lockstep.compare_models(judge, models, part, threads, unheard)
                for name, compared in found.items():
                    kept = document["files"][name]
                    for one in compared:
                        kept["kld_nats"].append(round(float(one.kld_nats.mean()), DIGITS))
                        kept["same_top"].append(round(float(one.same_top.mean()), DIGITS))
                        change = (one.candidate_nll_nats - one.reference_nll_nats).mean()
                        kept["nll_difference_nats"].append(round(float(change), DIGITS))
                done = every[: start + len(part)]
                document |= {"windows": len(done), "tokens_sha256": tokens_sha256(done)}
                write_atomic(out, pretty_json(document))
                say(f"{len(done)} of {len(every)} windows")


def _ladder(source: Path, folder: Path, threads: int, say: Say) -> dict[str, Path]:
    say("calibrating")
    matrix = calibrate.collect(source, smollm2.texts("calibration"), threads=threads, window_tokens=512)
    files = {}
    for name in LADDER:
        say(f"quantizing {name}")
        files[name] = folder / f"{name}.gguf"
        wanted = Wanted(name, imatrix=matrix, allow_fallback=True)
        quantize(source, files[name], wanted, threads=threads, cache_folder=folder / "tensors")
    return files


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocks", description=__doc__)
    parser.add_argument("--windows", type=int, default=240, metavar="N", help="windows to measure, %(default)s")
    parser.add_argument("--threads", type=int, metavar="N", help="one for each core unless given")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON document")
    arguments = parser.parse_args(argv)
    try:
        measure(arguments.windows, material.threads_or_cores(arguments.threads), arguments.out, tell)
    except ZooError as error:
        tell(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
