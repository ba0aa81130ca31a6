"""A complete tiny zoo: random models of one and two layers, a dozen prompts, short texts, small budgets.

Everything runs for real: the converter, the quantizer, the training loop, the measuring process, the hub.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from safetensors.numpy import load_file, save_file
from tinymodel import make_tiny_llama

from zoo.sources.resolve import content_sha256

END_TOKEN, END_SCALE = 2, 3.0
"""The row of the end marker in the (tied) embedding is made this much longer. Its logit then is often the largest,
so that random models end their answers by themselves, which the smoke test asks for."""

STRANGER = {"HOME": "/tmp/home-of-zoetester", "USER": "zoetester", "LOGNAME": "zoetester"}
"""Names that must not occur in anything published."""

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
TRAIN: list[dict[str, Any]] = [
    *({"user": f"question {number}", "tags": ["lang:en", "topic:test"]} for number in range(6)),
    {"user": "deux et deux", "system_hint": "Be brief.", "tags": ["lang:fr-CA"]},
    {"user": "is it so", "requires_json": True, "tool_name": "tell", "tool_schema": SCHEMA, "tags": ["lang:en"]},
    {"user": "and that", "requires_json": True, "tool_name": "tell", "tool_schema": SCHEMA, "tags": ["lang:en"]},
]
HELDOUT: list[dict[str, Any]] = [
    {"user": "what is held out", "tags": ["lang:en"]},
    {"user": "never learnt", "requires_json": True, "tool_name": "tell", "tool_schema": SCHEMA, "tags": ["lang:en"]},
]
TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree. "

OTHER_TEXT = "A small boat drifts past the harbour wall while two gulls argue about a crust of bread. "


def make_tiny_zoo(folder: Path) -> Path:
    """A zoo with the recipes ``plain`` and ``tutored``, and nothing built. Its bytes do not depend on ``folder``."""
    folder.mkdir(parents=True)
    (folder / "zoo.toml").write_text('namespace = "tiny"\n', encoding="utf-8")
    fill(folder)
    return folder


def fill(folder: Path) -> None:
    """The tiny model, corpora and recipes in the folder of a zoo."""
    make_talker(folder / "models" / "teacher")
    write_jsonl(folder / "texts" / "train.jsonl", TRAIN)
    write_jsonl(folder / "texts" / "heldout.jsonl", HELDOUT)
    (folder / "texts" / "words.txt").write_text(TEXT * 8, encoding="utf-8")
    (folder / "texts" / "other.txt").write_text(OTHER_TEXT * 3, encoding="utf-8")
    (folder / "recipes").mkdir(exist_ok=True)
    write_recipe(folder, plain_recipe(folder))
    write_recipe(folder, tutored_recipe(folder))


def make_talker(folder: Path, seed: int = 1) -> Path:
    """A random two-layer model whose answers end."""
    weights = make_tiny_llama(folder, layers=2, seed=seed) / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.embed_tokens.weight"][END_TOKEN] *= END_SCALE
    save_file(tensors, weights, metadata={"format": "pt"})
    return folder


def plain_recipe(zoo: Path, name: str = "plain", **changes: Any) -> dict[str, Any]:
    """A ladder of two files, no training."""
    recipe: dict[str, Any] = {
        "zoo": 1,
        "name": name,
        "version": "1.0.0",
        "date": "2026-11-22",
        "summary": "A tiny random model, for tests only.",
        "task": "chat",
        "languages": ["en"],
        "licence": "Apache-2.0",
        "owners": ["tests"],
        "bad_at": ["everything"],
        "student": changes["student"] if "student" in changes else source(zoo),
        "corpus": {
            "evaluation": [text_file("texts/words.txt", language="en")],
            "calibration": [text_file("texts/other.txt", language="en")],
        },
        "quantize": {"ladder": ["Q8_0", "Q4_0"], "allow_fallback": True, "imatrix_window_tokens": 64},
        "evaluate": {"window_tokens": 32, "windows": 4, "smoke_max_tokens": 96},
        "benchmark": {"prompt_tokens": 8, "decode_tokens": 4, "samples": 5},
        "probes": [{"probe": "arithmetic", "items": 3}, {"probe": "pairs_fr", "items": 4}],
        "gates": [{"metric": "kld_mean_nats", "file": "Q8_0", "at_most": 1.0}],
        "publish": {"model": f"{name}-gguf"},
    }
    return {**recipe, **changes}


def smallest_recipe(zoo: Path, name: str = "plain", **changes: Any) -> dict[str, Any]:
    """As little as a recipe can have: one file, and no importance, probes or gates. Seconds to build."""
    recipe = plain_recipe(zoo, name, quantize={"ladder": ["Q8_0"]}, probes=[], gates=[])
    recipe["corpus"].pop("calibration")
    return {**recipe, **changes}


def tutored_recipe(zoo: Path, name: str = "tutored", **changes: Any) -> dict[str, Any]:
    """A student with one of the teacher's two layers learns from it."""
    recipe = plain_recipe(zoo, name)
    recipe |= {
        "student": {**source(zoo), "layers": [0]},
        "teacher": source(zoo),
        "corpus": {
            **recipe["corpus"],
            "train": [text_file("texts/train.jsonl")],
            "heldout": [text_file("texts/heldout.jsonl")],
        },
        "label": {"max_tokens": 24, "batch_rows": 4},
        "distill": {"steps": 6, "batch_rows": 4, "row_tokens": 384, "warmup_steps": 1, "checkpoint_every_steps": 2,
                    "learning_rate": 0.001, "top_k": 16},
        "quantize": {"ladder": ["Q8_0"], "allow_fallback": True, "imatrix_window_tokens": 64},
        "gates": [{"metric": "label_valid_share", "at_least": 0.5}],
        "publish": {"model": f"{name}-gguf", "dataset": f"{name}-prompts"},
    }  # fmt: skip
    return {**recipe, **changes}


def source(zoo: Path) -> dict[str, Any]:
    """The tiny teacher as a source."""
    return {
        "source": "file:models/teacher",
        "sha256": content_sha256(zoo / "models" / "teacher"),
        "licence": "Apache-2.0",
        "upstream": "tests/tiny-random",
    }


def text_file(path: str, **more: str) -> dict[str, str]:
    return {"path": path, "licence": "CC0-1.0", "source": "written for the tests", **more}


def write_recipe(zoo: Path, recipe: dict[str, Any]) -> Path:
    path = zoo / "recipes" / f"{recipe['name']}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def environment(**more: str) -> dict[str, str]:
    """The environment of a ``zoo`` process: no network, one thread, as this machine's cores may be busy."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_") or k == "ZOO_CONVERTER"}
    return {**mine, "ZOO_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **more}


def start(zoo: Path, *arguments: str, python: str = sys.executable, **more: str) -> subprocess.Popen[str]:
    """``zoo ARGUMENTS`` in the folder of the zoo; both streams are pipes."""
    return subprocess.Popen(
        [python, "-m", "zoo", *arguments],
        cwd=zoo,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    zoo: Path, *arguments: str, timeout_seconds: float = 300, **more: str
) -> subprocess.CompletedProcess[str]:
    """``zoo ARGUMENTS`` to its end."""
    process = start(zoo, *arguments, **more)
    try:
        out, err = process.communicate(timeout=timeout_seconds)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def files_of(folder: Path) -> dict[str, str]:
    """sha256 of every file of a release that must not depend on when, where or how often it was made.

    Left out: measured speeds and times, and what repeats them or their digests (cards, manifests, the record).
    """
    timed = re.compile(
        r"evidence/bench-|README\.md$|MANIFEST\.json$|SHA256SUMS$|release\.json$|(distill|tune)-timing\.json$"
        r"|provenance\.intoto\.json$|bom\.cdx\.json$"
    )
    return {name: hashlib.sha256(raw).hexdigest() for name, raw in tree(folder).items() if not timed.search(name)}


def steps_of(zoo: Path, recipe: str) -> dict[str, str]:
    """Step id -> key of the release that was built."""
    text = next((zoo / "build/releases" / recipe).glob("[0-9]*/model/evidence/plan.json")).read_text(encoding="utf-8")
    return {step["id"]: step["key"] for step in json.loads(text)["steps"]}


_released: list[Path] = []


def released_zoo(base: Path) -> Path:
    """A zoo with both recipes released, built once in a test session. To be copied before it is changed.

    ``base`` is a temporary folder of a test; processes that share the session's tests share the zoo too.
    """
    if not _released:
        session = next((one.parent for one in (base, *base.parents) if one.name.startswith("popen-gw")), base)
        zoo = session / "somewhere-deep" / "whole-zoo"
        with (session / "whole-zoo.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (session / "said").exists():
                # Half a minute, but many tests need it: a machine that is busy gets more time.
                done = run(make_tiny_zoo(zoo), "release", "plain", "tutored", timeout_seconds=3600, **STRANGER)
                assert done.returncode == 0, done.stderr
                (session / "said").write_text(done.stdout + done.stderr, encoding="utf-8")
        _released.append(zoo)
    return _released[0]


_RIGHTS = "-dac_override,-dac_read_search"
"""What lets root read and write files without permission."""


def as_a_user(zoo: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and both streams of zoo in a process that may not read and write everything, even for root."""
    is_root = os.geteuid() == 0 and shutil.which("setpriv")
    prefix = ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"] if is_root else []
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "zoo", *arguments], cwd=zoo, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "bug in zoo" not in done.stderr
    return done.returncode, done.stdout + done.stderr
