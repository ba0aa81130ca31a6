"""Our KLD and perplexity, compared with those of llama.cpp's own perplexity tool, on the same files and tokens.

The tool writes the reference's log-probabilities to a base file of 16 bits each: per token, the 65,535 steps between
max(lowest, highest - 16) and the highest, so values below e^-16 of the reference's best are clamped, and all are
rounded. Its kernels also use larger batches. Figures may differ only because of that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import material, peers, smollm2
from benchmarks.pairs import Say, tell, versions
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.windows import Text, Windows
from zoo.llama.quantize.quantize import Wanted, quantize

LADDER = ("Q8_0", "Q5_0", "Q4_K_M", "Q4_0")
WINDOW_TOKENS, WINDOWS = 512, 4
TOLERANCE = {"kld_mean_nats": 0.02, "kld_median_nats": 0.04, "perplexity": 0.005, "same_top_share": 0.01}
"""Largest difference allowed, as a share of the tool's figure; same_top_share as a difference of shares.

For KLDs, 0.0005 nats are added, the effect of the base file's rounding on small ones.
"""
ROUNDING_NATS = 0.0005


def measure(threads: int, say: Say) -> dict[str, Any]:
    """The whole document."""
    model, tools = smollm2.f16_file(say), peers.tools(say)
    source = smollm2.text_path("evaluation", "en")
    with tempfile.TemporaryDirectory(prefix="agreement-", dir=material.CACHE) as folder:
        # The tool reads the whole text; with as many windows as it has, both use the same tokens.
        files = {}
        for name in LADDER:
            files[name] = Path(folder) / f"{name}.gguf"
            quantize(model, files[name], Wanted(name, allow_fallback=True), threads=threads)
        say("our evaluation")
        text = Text(source.name, "en", source.read_text(encoding="utf-8"))
        ours = evaluate(model, files, [text], Windows(window_tokens=WINDOW_TOKENS, windows=WINDOWS), threads=threads)
        theirs = {}
        base = Path(folder) / "base.kld"
        common = ("--chunks", str(WINDOWS), "-c", str(WINDOW_TOKENS), "-t", str(threads))
        say("llama-perplexity for the base file")
        tools.run(
            "llama-perplexity",
            "-m",
            str(model),
            "-f",
            str(source),
            *common,
            "--kl-divergence-base",
            str(base),
        )
        for name, path in files.items():
            say(f"llama-perplexity for {name}")
            said = tools.run(
                "llama-perplexity",
                "-m",
                str(path),
                "--kl-divergence",
                "--kl-divergence-base",
                str(base),
                *common,
            )
            theirs[name] = _theirs(said)
    compared = {name: _compared(ours["candidates"][name], theirs[name]) for name in LADDER}
    return {
        "schema": "benchmark-agreement/1",
        "name": "kld_agreement",
        "files": compared,
        "agree": all(entry["agrees"] for figures in compared.values() for entry in figures.values()),
        "tolerance": {**TOLERANCE, "rounding_nats": ROUNDING_NATS},
        "evaluation": {key: ours[key] for key in ("rule", "texts", "tokens_sha256")},
        "peer": peers.PACKAGE,
        "settings": {"threads": threads},
        "versions": versions(("llama-cpp-python", "numpy")),
        "machine": system.device(None),
    }


def _theirs(said: str) -> dict[str, float]:
    return {
        "kld_mean_nats": peers.numbers(said, "Mean    KLD:")[0],
        "kld_median_nats": peers.numbers(said, "Median  KLD:")[0],
        "perplexity": peers.numbers(said, "Mean PPL(Q)")[0],
        "same_top_share": peers.numbers(said, "Same top p:")[0] / 100,
    }


def _compared(ours: dict[str, Any], theirs: dict[str, float]) -> dict[str, dict[str, Any]]:
    found = {}
    for key, their in theirs.items():
        difference = ours[key] - their
        scale = 1.0 if key == "same_top_share" else abs(their)
        allowed = TOLERANCE[key] * scale + (ROUNDING_NATS if key.startswith("kld") else 0.0)
        found[key] = {
            "ours": ours[key],
            "theirs": their,
            "difference": difference,
            "allowed": allowed,
            "agrees": abs(difference) <= allowed,
        }
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 0 if all figures agree, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kld_agreement", description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None, metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        document = measure(material.threads_or_cores(arguments.threads), tell)
    except ZooError as error:
        tell(f"error: {error}")
        return 1
    print(pretty_json(document), end="")
    if arguments.out:
        write_atomic(arguments.out, pretty_json(document))
    return 0 if document["agree"] else 1


if __name__ == "__main__":
    sys.exit(main())
