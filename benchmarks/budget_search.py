"""The file from a byte budget, compared with plain Q4_0, the presets that fit, and a mix made by hand.

Everything is made from the same F16 file in one run, and measured on the same held-out text, which neither the search
nor the importance matrix has seen. The presets have the importance matrix; plain Q4_0 and the mix by hand do not. The
search runs as in a release.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import material, smollm2
from benchmarks.pairs import Say, tell, versions
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import records
from zoo.files.whole import write_atomic
from zoo.gguf.imatrix import Imatrix
from zoo.llama.measure import calibrate
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.windows import Windows
from zoo.llama.quantize.mix import Content, write_mix
from zoo.llama.quantize.presets import choose
from zoo.llama.search.tensors import Tensors
from zoo.plan.plan import SEARCH_WINDOW_TOKENS, SEARCH_WINDOWS
from zoo.progress import Silent
from zoo.stages import Context, budget, sensitivity
from zoo.stages.artifact import Artifact

SCHEMA = "benchmark-budget/1"
LIMIT_BYTES = 91_700_000
SECONDS_MAXIMUM = 900
RATIO_MAXIMUM, RATIO_AIM = 0.4, 0.3
WINDOW_TOKENS, WINDOWS = 512, 7


def search(model: Path, imatrix: Imatrix, limit_bytes: int, folder: Path, threads: int) -> Mapping[str, Any]:
    """The facts of the budget's file, whose path is under ``file``, and the seconds of both steps."""
    texts = folder / "texts"
    texts.mkdir()
    files = []
    for text in smollm2.texts("calibration"):
        (texts / text.name).write_text(text.content, encoding="utf-8")
        sha256 = hashlib.sha256(text.content.encode()).hexdigest()
        files.append({"path": text.name, "name": text.name, "language": text.language, "sha256": sha256})
    home = folder / "model"
    home.mkdir()
    (home / "model.gguf").symlink_to(model)
    weighed = folder / "imatrix"
    imatrix.write(weighed / "imatrix.gguf")
    inputs = {
        "model": _Linked("export", "", home, (), {}),
        "texts": Artifact("corpus", "", texts, records(texts), {"calibration": files}),
        "imatrix": Artifact("imatrix", "", weighed, records(weighed), {}),
    }
    spec = {"window_tokens": SEARCH_WINDOW_TOKENS, "windows": SEARCH_WINDOWS}
    seconds, facts, out = {}, {}, Path()
    for name, run in (("sensitivity", sensitivity.run), ("budget", budget.run)):
        out, scratch = folder / name / "out", folder / name / "scratch"
        out.mkdir(parents=True)
        scratch.mkdir()
        own = spec | ({"label": "budget", "limit": {"bytes": limit_bytes}} if name == "budget" else {})
        context = Context(own, dict(inputs), out, scratch, folder, folder, threads, "cpu", _Telling())
        seconds[name], facts = _timed(lambda run=run, context=context: run(context))
        inputs[name] = Artifact(name, "", out, records(out), facts)
    return {**facts, "seconds": seconds, "file": out / "model.gguf"}


class _Linked(Artifact):
    """The model in the cache, without its hash, which is not part of the search."""

    def path(self, name: str) -> Path:
        return self.folder / name


class _Telling(Silent):
    def say(self, text: str) -> None:
        tell(text)

    def task(self, what: str, total: float | None, unit: str) -> Any:
        tell(f"{what}: {total:,.0f} {unit}" if total else what)
        return super().task(what, total, unit)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def others(model: Path, imatrix: Imatrix, limit_bytes: int, folder: Path, threads: int) -> dict[str, Path]:
    """Plain Q4_0, the mix by hand, and every preset with the importance matrix that keeps the budget."""
    folder.mkdir()

    def make(name: str, types: Mapping[str, str], weighed: Imatrix | None) -> Path:
        target = folder / f"{name}.gguf"
        write_mix(model, target, Content(types, weighed), cache_folder=folder / "cache", threads=threads)
        return target

    plain = choose(model, "Q4_0", with_imatrix=False).types
    by_hand = {name: "IQ4_NL" if name == "token_embd.weight" else "Q5_0" for name in plain}
    found = {"Q4_0 plain": make("plain", plain, None), "by hand": make("hand", by_hand, None)}
    other_bytes = Tensors.of(model, None).other_bytes
    matrices = Tensors.of(model, None).matrices
    for name in budget.PRESETS:
        types = choose(model, name, with_imatrix=True).types
        size = other_bytes + sum(matrices[tensor].bytes_as(type_) for tensor, type_ in types.items())
        if size <= limit_bytes + 100_000:
            path = make(name, types, imatrix)
            if path.stat().st_size <= limit_bytes or name == "Q4_0":
                found[f"{name} with imatrix"] = path
    return found


def measure(arguments: argparse.Namespace, say: Say) -> dict[str, Any]:
    """The whole document."""
    threads, limit = material.threads_or_cores(arguments.threads), arguments.bytes
    model = smollm2.spread_file(say) if arguments.spread else smollm2.f16_file(say)
    started, before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), system.conditions()
    with tempfile.TemporaryDirectory(prefix="budget-", dir=material.CACHE) as name:
        folder = Path(name)
        say("collecting the importance matrix")
        took, imatrix = _timed(
            # One thread: several threads of llama.cpp spin while they wait for each other, which is slow on a busy
            # machine.
            lambda: calibrate.collect(model, smollm2.texts("calibration"), threads=1)
        )
        found = search(model, imatrix, limit, folder, threads)
        files = others(model, imatrix, limit, folder / "others", threads)
        say(f"evaluating {len(files) + 1} files on held-out text")
        evaluation = evaluate(
            model,
            {"budget": found["file"], **files},
            smollm2.texts("evaluation"),
            Windows(window_tokens=WINDOW_TOKENS, windows=WINDOWS),
            threads=threads,
        )
        sizes = {name: path.stat().st_size for name, path in {"budget": found["file"], **files}.items()}
    figures = {name: _figures(entry, sizes[name]) for name, entry in evaluation["candidates"].items()}
    seconds = {"imatrix": took, **found["seconds"]}
    return {
        "schema": SCHEMA,
        "name": "budget_search",
        "started": started,
        "weights": "moved off the source's steps" if arguments.spread else "as packaged (Q4_1 at the source)",
        "limit_bytes": limit,
        "threads": threads,
        "seconds": {**seconds, "all": sum(seconds.values())},
        "files": figures,
        "targets": _targets(figures, limit, sum(seconds.values())),
        "search": {k: v for k, v in found["quantize"]["budget"].items() if k != "types"},
        "tensor_types": found["quantize"]["tensor_types"],
        "types": found["quantize"]["budget"]["types"],
        "evaluation": {key: evaluation[key] for key in ("rule", "texts", "tokens_sha256")},
        "versions": versions(("llama-cpp-python", "numpy")),
        "machine": system.device(None),
        "conditions": {"before": before, "after": system.conditions()},
    }


def _figures(entry: Mapping[str, Any], size_bytes: int) -> dict[str, Any]:
    keys = ("kld_mean_nats", "kld_mean_se_nats", "kld_p99_nats", "same_top_share", "ln_ppl_ratio")
    return {"size_bytes": size_bytes, **{key: entry[key] for key in keys}}


def _targets(figures: Mapping[str, Any], limit: int, seconds: float) -> dict[str, Any]:
    ours = figures["budget"]
    ratio = ours["kld_mean_nats"] / figures["Q4_0 plain"]["kld_mean_nats"]
    fitting = {
        name: entry["kld_mean_nats"]
        for name, entry in figures.items()
        if name.endswith("with imatrix") and entry["size_bytes"] <= limit
    }
    best = min(fitting, key=lambda name: fitting[name]) if fitting else None
    return {
        "kld_ratio_to_plain_q4_0": {
            "value": ratio,
            "at_most": RATIO_MAXIMUM,
            "aim": RATIO_AIM,
            "reached": ratio <= RATIO_MAXIMUM,
        },
        "best_fitting_preset": {
            "name": best,
            "kld_mean_nats": fitting.get(best or ""),
            "reached": best is None or ours["kld_mean_nats"] <= fitting[best],
        },
        "size_bytes": {"value": ours["size_bytes"], "at_most": limit, "reached": ours["size_bytes"] <= limit},
        "seconds": {"value": seconds, "at_most": SECONDS_MAXIMUM, "reached": seconds <= SECONDS_MAXIMUM},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget_search", description=__doc__)
    parser.add_argument("--bytes", type=int, default=LIMIT_BYTES, help="most bytes of the file")
    parser.add_argument(
        "--spread", action="store_true", help="weights that are not on the quantization steps of a source"
    )
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None, metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        document = measure(arguments, tell)
    except ZooError as error:
        tell(f"error: {error}")
        return 1
    print(pretty_json(document), end="")
    if arguments.out:
        write_atomic(arguments.out, pretty_json(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
