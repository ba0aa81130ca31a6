"""Damaged files of every kind: each gets an answer for a person, within two seconds, and never a bug in zoo.

``make fuzz`` tries 50,000; FUZZ_MUTATIONS sets another number. A failure names the seed that makes it again.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
from pathlib import Path

import fuzzing
import fuzzmore
import pytest
from fuzzing import Case
from fuzzreaders import cases, text_of

from catalog import index
from catalog.problems import LIMIT
from zoo.corpora.prompts import parse_prompts

KIND = bytes.fromhex("06072a8648ce3d0201")
"""id-ecPublicKey as DER writes it (RFC 5480, section 2.1.1)."""

MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "2000"))


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    base = tmp_path_factory.mktemp("sound")
    return {**cases(base), **fuzzmore.cases(base)}


def test_no_damaged_file_is_a_fault_of_the_program(every: dict[str, Case], tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    share = max(MUTATIONS // len(every), 1)
    found = []
    for name, case in every.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        (folder / "zoo.toml").touch()
        case.read(case.sound, folder)  # loads the libraries of a reader, which can take seconds
        for number in range(max(share // case.one_in, 1)):
            seed = f"{name}/{number}"
            if fault := fuzzing.faults(case, fuzzing.damaged(case, random.Random(seed)), folder):
                found.append(f"{seed}: {fault}")
                break
    assert not found, "\n" + "\n".join(found)


def test_the_sound_files_are_read(every: dict[str, Case], tmp_path: Path) -> None:
    """Else the damage would only ever meet the first check."""
    for name, case in every.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        (folder / "zoo.toml").touch()
        case.read(case.sound, folder)  # a refusal of the valid file would be raised here
        assert not fuzzing.faults(case, case.sound, folder), name
    assert not index.parse(text_of(every["catalog"].sound), "x")[1]
    assert not parse_prompts(every["prompts"].sound, "x")[1]


def test_a_fault_would_be_seen(tmp_path: Path) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    def broken(*_: object) -> None:
        raise OverflowError("int too large")

    for read, word in ((broken, "OverflowError"), (lambda *_: "x" * 9999, "characters")):
        assert word in fuzzing.faults(Case("x", "text", b"x", read), b"x", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fuzzing, "SECONDS", 0.02)
        assert fuzzing.faults(Case("x", "text", b"x", endless), b"x", tmp_path) == "no answer at all"


def test_what_was_found_so(every: dict[str, Case], tmp_path: Path) -> None:
    """One of each fault that fifty thousand damaged files showed."""
    report = json.loads(every["evidence"].sound)
    report["loss_curve"][1]["loss"] = 1e308
    data = json.loads(every["evidence"].sound)
    data["splits"][0]["tags"]["a"] = 1e308
    for name, raw in {
        "evidence": json.dumps(report),
        "evidence ": json.dumps(data),
        "manifest": '{"name": "a", "version": "1", "files": [7, 0]}',
        "artifact": every["artifact"].sound.decode().replace('"k"', f'"{"x" * 100_000}"', 1),
        "prompts": '{"user": "a", "' + "t" * 5000 + '": 1}\n',
        "model tokenizer_config.json": '{"model_max_length": 1' + "0" * 400 + "}",
        "commit of a hub": '{"parent": null, "message": "m", "files": {"a": ["0"]}}',
        "ref of a hub": "0" * 5000,
        "evidence of a rebuild": '{"steps": 1, "format": []}',
        "index of weights": '{"weight_map": {"a": "' + "x" * 5000 + '"}}',
        "command line": "--" + "x" * 5000,
    }.items():
        if name.strip() in every:
            assert not fuzzing.faults(every[name.strip()], raw.encode(), tmp_path), name


def test_a_public_key_of_an_unknown_kind(every: dict[str, Case], tmp_path: Path) -> None:
    case = every.get("public key") or pytest.skip("signing is not installed")
    first, *middle, last = case.sound.decode().splitlines()
    der = base64.b64decode("".join(middle)).replace(KIND, KIND[:-1] + b"\x63", 1)
    raw = "\n".join([first, base64.b64encode(der).decode(), last]).encode()
    assert der != base64.b64decode("".join(middle)) and not fuzzing.faults(case, raw, tmp_path)


def test_a_fault_in_every_line_is_reported_soon() -> None:
    """The first places are named, and the rest of the file is not searched."""
    started = time.process_time()
    for line in (b'{"user": 1}\n', b'{"user": "again"}\n', b"x\n"):
        problems = parse_prompts(line * 300_000, "x.jsonl")[1]
        assert len(problems) == LIMIT + 1 and "were not checked" in problems[-1].what
    entries = ",".join(["{}"] * 100_000)
    problems = index.parse(f'{{"schema": "model-catalog/1", "models": [{entries}]}}', "c.json")[1]
    assert len(problems) == LIMIT + 1 and problems[0].path.startswith("models[0]")
    assert time.process_time() - started < 8 * fuzzing.SECONDS
