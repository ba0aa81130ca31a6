"""A board's programs in an emulator of its processor: which code they choose, what they answer, what they refuse.

qemu emulates the processor only: nothing here is a speed, and /proc shows the machine that runs the tests.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from llamaserver import compiled
from piservers import code_of, configured, launched, released
from tinygguf import smollm2

pytestmark = pytest.mark.pi

LIBRARIES = Path("/usr/aarch64-linux-gnu")
"""Where Debian's cross-compiler has the libraries of Arm."""
EMULATOR = "qemu-aarch64-static"
GOLDEN = Path(__file__).parents[1] / "golden/pi-completion.json"
CHOICE = {"cortex-a53": "armv8.0_1", "cortex-a72": "armv8.0_1", "cortex-a76": "armv8.2_2"}
"""Processors of the Pi 3 and Zero 2 W, of the Pi 4, and of the Pi 5, and the code that suits them."""


@pytest.fixture(scope="module")
def programs() -> Path:
    place = compiled("arm64")
    assert place is not None, "python scripts/pi/compile.py arm64"
    assert shutil.which(EMULATOR) and LIBRARIES.is_dir(), "make pi-tools"
    return place


def emulated(folder: Path, programs: Path, core: str) -> Path:
    """llama-server as this core would run it; the libraries of Arm come from Debian's cross-compiler."""
    path = folder / "llama-server"
    path.write_text(
        f'#!/bin/sh\nexec {shutil.which(EMULATOR)} -cpu {core} -L {LIBRARIES} {programs}/llama-server "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def complete(port: int, prompt: str, tokens: int) -> dict[str, Any]:
    body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "seed": 1, "cache_prompt": False,
            "return_tokens": True}  # fmt: skip
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    link.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
    answer = link.getresponse()
    assert answer.status == 200, answer.read()
    return dict(json.loads(answer.read()))


@pytest.mark.parametrize("core", CHOICE)
def test_each_processor_gets_its_code_and_the_golden_answer(tmp_path: Path, programs: Path, core: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    model, manifest = released(tmp_path / "smollm2" / "1.0.0", smollm2())
    assert hashlib.sha256(model.read_bytes()).hexdigest() == golden["model_sha256"]
    config = configured(tmp_path, model, manifest, flags=["--no-warmup"])
    server = emulated(tmp_path, programs, core)
    with (tmp_path / "log").open("w") as said, launched(config, server, tmp_path, said=said) as (child, systemd):
        systemd.wait_for("READY=1", 300)
        assert code_of(child) == {CHOICE[core]}
        answer = complete(json.loads(config.read_text())["port"], golden["prompt"], golden["tokens"])
    assert (answer["content"], answer["tokens"]) == (golden["answer"], golden["answer_tokens"])


def test_the_launcher_refuses_a_flipped_byte(tmp_path: Path, programs: Path) -> None:
    model, manifest = released(tmp_path / "smollm2" / "1.0.0", smollm2())
    with model.open("r+b") as handle:
        handle.seek(50_000_000)
        byte = handle.read(1)[0]
        handle.seek(50_000_000)
        handle.write(bytes([byte ^ 1]))
    config = configured(tmp_path, model, manifest)
    with launched(config, emulated(tmp_path, programs, "cortex-a72"), tmp_path) as (child, _):
        _, said = child.communicate(timeout=120)
    assert child.returncode == 65 and "the manifest says" in said and "load_model" not in said
