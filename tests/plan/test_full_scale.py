"""The costs of a large teacher's steps, measured on a recipe of the same proportions, a fortieth of the size.

The recipe in the zoo has a teacher of 15 GB and a student of 1 GB. Here the teacher has 400 MB. Each step runs in a
process of its own; memory is what it and its children have together, mapped files included.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tinymodel import make_tiny_llama
from tinyzoo import environment, make_tiny_zoo, run, source, start, tutored_recipe, write_recipe

from zoo import settings as settings_room
from zoo.plan import prepare
from zoo.plan.costs import PROGRAM_BYTES
from zoo.sources.resolve import content_sha256

STUDENT = {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 4}
TEACHER = {"hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 7}
VOCABULARY = 8000
OF_THE_TEACHER = ("import/teacher", "export/teacher", "label", "distill")


def make_model(folder: Path, changes: Mapping[str, int]) -> None:
    """A model in bfloat16, in shards, with more rows than tokens, as Qwen2.5 has."""
    make_tiny_llama(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {**changes, "head_dim": 64, "num_attention_heads": changes["hidden_size"] // 64}
    config |= {"num_key_value_heads": 4, "vocab_size": VOCABULARY, "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    script = (
        "import sys, torch, transformers\n"
        "config = transformers.AutoConfig.from_pretrained(sys.argv[1])\n"
        "model = transformers.AutoModelForCausalLM.from_config(config).to(torch.bfloat16)\n"
        "model.model.embed_tokens.weight.data.mul_(10)\n"
        "model.save_pretrained(sys.argv[1], max_shard_size='100MB')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, capture_output=True, env=environment())
    (folder / "generation_config.json").write_text('{"eos_token_id": 2, "pad_token_id": 2}')


@dataclass
class Peaks:
    """Of one step: bytes of memory of all its processes, and of the work folder, at their highest."""

    memory: int = 0
    disk: int = 0


def inodes(folder: Path) -> dict[int, int]:
    """The files below ``folder`` by number, with the bytes that they take on the disk."""
    found = {}
    # os.walk() leaves out what is deleted meanwhile.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                one = Path(place, name).lstat()
                if stat.S_ISREG(one.st_mode):
                    found[one.st_ino] = 512 * one.st_blocks
    return found


def memory_of(process: psutil.Process) -> int:
    """Of a process and its children, mapped files included, with what they share once."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            total += one.memory_full_info().pss
    return total


def measured(zoo: Path, step: str, elsewhere: Collection[int]) -> Peaks:
    """Make a step. elsewhere: files that were there before."""
    peaks = Peaks()
    process = start(zoo, "build", "scaled", "--step", step)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.communicate()))
    reader.start()
    watched = psutil.Process(process.pid)
    while reader.is_alive():
        peaks.memory = max(peaks.memory, memory_of(watched))
        disk = sum(size for number, size in inodes(zoo / "build").items() if number not in elsewhere)
        peaks.disk = max(peaks.disk, disk)
        reader.join(0.05)
    assert process.returncode == 0, said
    return peaks


def scaled_zoo(folder: Path) -> Path:
    zoo = make_tiny_zoo(folder)
    for name, changes in (("small", STUDENT), ("big", TEACHER)):
        make_model(zoo / "models" / name, changes)
    recipe = tutored_recipe(zoo, "scaled", label={"max_tokens": 24, "batch_rows": 8}, probes=[], gates=[])
    pinned = {name: content_sha256(zoo / "models" / name) for name in ("small", "big")}
    for role, name in (("student", "small"), ("teacher", "big")):
        recipe[role] = {**source(zoo), "source": f"file:models/{name}", "sha256": pinned[name]}
    recipe["teacher"]["dtype"] = "source"
    recipe["distill"] |= {"adapter": "lora", "preset": "ampere-balanced", "row_tokens": 512, "top_k": 64, "steps": 2}
    write_recipe(zoo, recipe)
    return zoo


@pytest.mark.long
def test_what_a_large_teacher_costs_is_what_the_plan_says(tmp_path: Path) -> None:
    zoo = scaled_zoo(tmp_path / "zoo")
    plan = json.loads(run(zoo, "plan", "scaled", "--json").stdout)
    planned = plan["costs"]["step_memory_bytes"]
    elsewhere = inodes(zoo / "models")
    disk = 0
    # Files of the ladder and their figures need little of both.
    steps = [one["id"] for one in plan["steps"]]
    for step in steps[: steps.index("parity") + 1]:
        peaks = measured(zoo, step, elsewhere)
        disk = max(disk, peaks.disk)
        if step in OF_THE_TEACHER:
            # The program's own part is the same at any size.
            assert peaks.memory <= planned[step] <= 1.5 * peaks.memory + PROGRAM_BYTES, step
    teacher = sum(path.stat().st_size for path in (zoo / "models/big").iterdir())
    assert teacher < disk <= plan["costs"]["disk_bytes"] <= 1.5 * disk
    assert disk < 2 * teacher, "one copy of the teacher, as a GGUF file"
    work = zoo / "build" / "work"
    key = next(one["key"] for one in plan["steps"] if one["id"] == "import/teacher")
    shards = sorted(path.name for path in (work / key).glob("*.safetensors"))
    assert len(shards) > 2 and all((work / key / name).samefile(zoo / "models/big" / name) for name in shards)


def test_the_recipe_at_full_scale_fits_the_machine_that_it_names(tmp_path: Path) -> None:
    here = settings_room.load(Path(__file__).parents[2], {}, {"ZOO_WORK": str(tmp_path)})
    planned = prepare.make_plan("qwen2.5-0.5b-tutor", here)
    assert planned.costs.disk_bytes and planned.costs.disk_bytes <= 45e9
    assert planned.costs.memory_bytes and planned.costs.memory_bytes <= 20e9
