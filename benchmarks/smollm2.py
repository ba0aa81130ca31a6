"""SmolLM2-135M as a file that quants are made from, and the texts to calibrate and evaluate on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from benchmarks import material
from benchmarks.pairs import Say
from zoo.files.locks import locked
from zoo.llama.convert.convert import convert
from zoo.llama.measure.windows import Text
from zoo.llama.search.tensors import Tensors

LANGUAGES = ("en", "fr-CA")


def f16_file(say: Say) -> Path:
    """The packaged model as the starter recipe exports it, made once."""
    recipe = material.tutor()
    folder = material.imported(material.teacher_file(recipe), recipe.teacher.sha256, None, say)
    target = material.CACHE / f"{folder.name}-f16.gguf"
    with locked(target.with_suffix(".lock"), lambda: say("another benchmark converts this model; waiting")):
        if not target.is_file():
            say("converting to F16, once")
            convert(folder, target, "f16")
    return target


def spread_file(say: Say) -> Path:
    """The same model with every weight moved at random by up to half a quantization step of its source; made once.

    The package has Q4_1, so its weights are on the steps of Q4_1, which makes that type almost lossless only here.
    Moved weights can be anywhere, like those of a model in full precision. The model writes slightly worse text, which
    does not affect how close a quant comes to it.
    """
    source = f16_file(say)
    target = source.with_name(f"{source.stem}-spread.gguf")
    if not target.is_file():
        say("moving every weight off the steps of its source, once")
        part = target.with_suffix(".part")
        shutil.copyfile(source, part)
        random, tensors = np.random.default_rng(0), Tensors.of(source, None)
        with part.open("r+b") as stream:
            for name, matrix in tensors.matrices.items():
                blocks = tensors.read(name).reshape(-1, 32)
                steps = 255 if name == "token_embd.weight" else 15
                step = (blocks.max(axis=1, keepdims=True) - blocks.min(axis=1, keepdims=True)) / steps
                moved = blocks + random.uniform(-0.5, 0.5, blocks.shape).astype(np.float32) * step
                stream.seek(matrix.place)
                stream.write(moved.astype("<f2").tobytes())
        part.rename(target)
    return target


def text_path(part: str, language: str) -> Path:
    return material.ROOT / "recipes" / "corpora" / "texts" / f"{part}.{language}.txt"


def texts(part: str) -> list[Text]:
    """The starter texts of ``evaluation`` or ``calibration``."""
    return [
        Text(path.name, language, path.read_text(encoding="utf-8"))
        for language in LANGUAGES
        for path in (text_path(part, language),)
    ]
