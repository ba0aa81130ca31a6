"""Whether the parity gate accepts valid files on any machine, and refuses broken ones.

Valid files: tiny random models with sharp attention, students pruned from SmolLM2-135M, and that model itself, in every
export type, with torch limited to several levels of instructions and llama.cpp on one and two threads. Each of these is
a trial; none may be refused. Broken files: one fault each, on several of these models. Every one must be refused, and
the document lists the checks that refused it. The logits may not show a wrong norm constant.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks import machines, material
from benchmarks.machines import ROOT
from benchmarks.pairs import Say, tell, versions
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.gguf.header import read_header, rewrite_header
from zoo.gguf.layout import opened, read_raw
from zoo.llama.convert.convert import convert
from zoo.llama.quantize.quantize import Wanted, quantize

SCHEMA = "benchmark-parity/1"
FOLDER = ROOT / "build" / "parity"
TINY = tuple((seed, 1 + seed % 4, sharp) for seed, sharp in enumerate((1, 2, 4, 4, 3, 6) * 3))
"""Seed, layers, and how many times sharper than a random model's the attention is."""
STUDENTS: Mapping[str, tuple[int, ...]] = {
    "student-8": (0, 1, 2, 3, 26, 27, 28, 29),
    "student-5": (0, 7, 14, 21, 29),
}
"""Layers of SmolLM2-135M that are kept."""
FAULTY = (2, 3, 5, 10, 15, 17)
"""Tiny models for the faults."""

Change = Callable[[dict[str, np.ndarray]], None]


@dataclass(frozen=True)
class Model:
    """A folder and the f16 file that was made from it."""

    name: str
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder.with_suffix(".gguf")


# --- Material


def models(say: Say) -> list[Model]:
    """All material, made once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = [_tiny(*shape) for shape in TINY]
    say(f"{len(found)} tiny models")
    for name, layers in (*STUDENTS.items(), ("SmolLM2-135M", None)):
        found.append(_real(name, layers, say))
        say(name)
    return found


def _tiny(seed: int, layers: int, sharp: int) -> Model:
    model = Model(f"tiny-{seed}", FOLDER / f"tiny-{seed}")
    if model.file.is_file():
        return model
    sys.path.insert(0, str(ROOT / "tests"))
    from tinymodel import make_tiny_llama

    folder = make_tiny_llama(model.folder, layers=layers, seed=seed)
    weights = load_file(folder / "model.safetensors")
    for name in weights:
        if "q_proj" in name or "k_proj" in name:
            weights[name] = (weights[name] * sharp).astype(np.float16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, model.file)
    return model


def _real(name: str, layers: tuple[int, ...] | None, say: Say) -> Model:
    model = Model(name, FOLDER / name)
    if not model.folder.is_dir():
        recipe = material.tutor()
        imported = material.imported(material.teacher_file(recipe), recipe.teacher.sha256, layers, say)
        shutil.copytree(imported, model.folder, copy_function=os.link)
    if not model.file.is_file():
        convert(model.folder, model.file)
    return model


# --- Faults: each gives the folder and the file of a pair that must be refused


def edited(source: Path, target: Path, tensor: str, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A copy of an f16 file with one matrix changed; ``change`` maps [rows, columns] to the same shape."""
    shutil.copyfile(source, target)
    with opened(source) as data:
        raw = read_raw(data)
        found = next(one for one in raw.tensors if one.name == tensor)
    place = raw.data_start + found.offset
    with target.open("r+b") as stream:
        stream.seek(place)
        values = np.frombuffer(stream.read(found.size_bytes), "<f2").reshape(found.shape[::-1]).copy()
        stream.seek(place)
        stream.write(np.ascontiguousarray(change(values), "<f2").tobytes())
    return target


def faults(model: Model, out: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, folder and file of every fault, made one after another in ``out``."""
    target, header = out / "broken.gguf", read_header(model.file)
    own = f"{header.architecture}."
    layer, heads = header.block_count // 2, header.head_count
    width, random = header.embedding_length // heads, np.random.default_rng(7)
    here = f"blk.{layer}."

    def rewritten(key: str, value: Any) -> Path:
        rewrite_header(model.file, target, {key: value})
        return target

    def negated(values: np.ndarray) -> np.ndarray:
        values[:, :width] *= -1
        return values

    def swapped(values: np.ndarray) -> np.ndarray:
        return values[:, np.r_[width : 2 * width, :width, 2 * width : values.shape[1]]]

    base, constant = own + "rope.freq_base", own + "attention.layer_norm_rms_epsilon"
    for factor in (0.9, 1.1):
        value = float(header.metadata.get(base, 10_000.0)) * factor
        yield f"rope base times {factor}", model.folder, rewritten(base, value)
    for factor in (0.1, 100.0):
        value = float(header.metadata[constant]) * factor
        yield f"norm constant times {factor:g}", model.folder, rewritten(constant, value)
    yield "begin-of-text token added", model.folder, rewritten("tokenizer.ggml.add_bos_token", True)
    yield "rope scaling lost", _scaled(model, out / "scaled"), model.file
    yield "head lost", _untied(model, out / "untied"), model.file
    yield (
        "one head's weights negated",
        model.folder,
        edited(model.file, target, here + "attn_output.weight", negated),
    )
    yield "two heads swapped", model.folder, edited(model.file, target, here + "attn_output.weight", swapped)
    rows = edited(
        model.file, target, here + "ffn_up.weight", lambda values: values[random.permutation(len(values))]
    )
    yield "rows of a matrix permuted", model.folder, rows
    first = edited(model.file, out / "first.gguf", here + "attn_output.weight", np.zeros_like)
    yield "one layer missing", model.folder, edited(first, target, here + "ffn_down.weight", np.zeros_like)


def _copy(model: Model, target: Path, **changes: Any) -> Path:
    shutil.copytree(model.folder, target, copy_function=os.link)
    config = json.loads((target / "config.json").read_text(encoding="utf-8")) | changes
    (target / "config.json").unlink()
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return target


def _scaled(model: Model, target: Path) -> Path:
    config = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
    theta = (config.get("rope_parameters") or config).get("rope_theta", 10_000.0)
    scaling = {"rope_type": "linear", "factor": 2.0, "rope_theta": theta}
    return _copy(model, target, rope_parameters=scaling)


def _untied(model: Model, target: Path) -> Path:
    """The folder has a separate head: the embedding with its rows in another order."""
    _copy(model, target, tie_word_embeddings=False)
    weights = load_file(target / "model.safetensors")
    rows = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = rows[np.random.default_rng(3).permutation(len(rows))]
    (target / "model.safetensors").unlink()
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


# --- Trials, in a process that is limited to some level of instructions


def trials(names: Sequence[str], wanted: Sequence[str], broken: bool) -> Iterator[dict[str, Any]]:
    """Check models by name: the valid files of the wanted types, or the broken ones."""
    for name in names:
        model = Model(name, FOLDER / name)
        out = FOLDER / f"work-{os.getpid()}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        try:
            yield from _broken(model, out) if broken else _sound(model, wanted, out)
        finally:
            shutil.rmtree(out, ignore_errors=True)


def _sound(model: Model, wanted: Sequence[str], out: Path) -> Iterator[dict[str, Any]]:
    for type_ in wanted:
        file = model.file
        if type_ != "f16":
            file = out / f"{type_}.gguf"
            quantize(model.file, file, Wanted(type_.upper(), allow_fallback=True), threads=1)
        seen = _look(model.folder, type_)
        for threads in (1, 2) if type_ == "f16" else (1,):
            yield {
                "model": model.name,
                "type": type_,
                "threads": threads,
                **_judged(seen, file, out, threads),
            }


def _broken(model: Model, out: Path) -> Iterator[dict[str, Any]]:
    own = _look(model.folder, "f16")
    for fault, folder, file in faults(model, out):
        seen = own if folder == model.folder else _look(folder, "f16")
        yield {"model": model.name, "fault": fault, **_judged(seen, file, out, 1)}


def _look(folder: Path, type_: str) -> Any:
    from zoo.training.parity import look

    return look(folder, type_, threads=1)


def _judged(seen: Any, file: Path, out: Path, threads: int) -> dict[str, Any]:
    from zoo.stages.parity import Work, examine

    checks, _ = examine(seen, file, None, Work(out, threads))
    figures = next(check.figures for check in checks if check.name == "logits")
    return {
        "refused_by": [check.name for check in checks if not check.passed],
        **{f"{side}_{key}": figures[side][key] for side in figures for key in ("mean_ratio", "share_beyond")},
    }


def held(level: machines.Torch, *arguments: str) -> list[dict[str, Any]]:
    """The trials of a child process whose torch is limited to ``level``."""
    command = [sys.executable, "-m", "benchmarks.parity_power", "--child", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **level.environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ZooError(f"the trials with torch limited to {level.name} ended with exit code {done.returncode}")
    return [{**json.loads(line), "torch": level.name} for line in done.stdout.splitlines()]


# --- The document


def measure(say: Say) -> dict[str, Any]:
    """The whole document."""
    found = [model.name for model in models(say)]
    tiny = [name for name in found if name.startswith("tiny-")]
    levels = machines.torch_levels()
    sound: list[dict[str, Any]] = []
    for level in levels:
        say(f"valid files, torch limited to {level.name}")
        sound += held(level, "f16,f32,bf16", ",".join(tiny))
        sound += held(level, "f16", ",".join(STUDENTS))
    sound += held(levels[-1], "f16,bf16", "SmolLM2-135M")
    say("broken files")
    names = [*(f"tiny-{seed}" for seed in FAULTY), *STUDENTS, "SmolLM2-135M"]
    broken = held(levels[-1], "--broken", "f16", ",".join(names))
    return {
        "schema": SCHEMA,
        "name": "parity_power",
        "sound": {"trials": len(sound), "refused": _refused(sound), **_extremes(sound)},
        "broken": _by_fault(broken),
        "trials": {"sound": sound, "broken": broken},
        "versions": versions(("llama-cpp-python", "torch", "transformers")),
        "machine": system.device(None),
    }  # fmt: skip


def _refused(found: Sequence[Mapping[str, Any]]) -> int:
    return sum(bool(trial["refused_by"]) for trial in found)


def _extremes(sound: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The largest of each figure."""
    keys = [key for key in sound[0] if key.endswith(("_ratio", "_beyond"))]
    return {f"largest_{key}": max(trial[key] for trial in sound) for key in keys}


def _by_fault(broken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fault -> files, how many were refused, by which checks, and the least figures of the logits."""
    table = {}
    for fault in dict.fromkeys(trial["fault"] for trial in broken):
        ours = [trial for trial in broken if trial["fault"] == fault]
        table[fault] = {
            "files": len(ours),
            "refused": _refused(ours),
            "by": dict(Counter(name for trial in ours for name in trial["refused_by"])),
            "least_float32_mean_ratio": min(trial.get("float32_mean_ratio", 0.0) for trial in ours),
        }
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if no valid file and every broken one was refused, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity_power", description=__doc__)
    parser.add_argument("--out", type=Path, help="also write the document to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--broken", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("types", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("models", nargs="?", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        for trial in trials(chosen.models.split(","), chosen.types.split(","), chosen.broken):
            print(json.dumps(trial), flush=True)
        return 0
    document = measure(tell)
    print(pretty_json(document))
    if chosen.out:
        write_atomic(chosen.out, pretty_json(document))
    missed = sum(one["files"] - one["refused"] for one in document["broken"].values())
    return 1 if document["sound"]["refused"] or missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
