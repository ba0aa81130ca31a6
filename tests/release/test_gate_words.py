"""What a refused gate reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from publishsamples import make_release

from zoo import flow
from zoo.errors import GateRefused
from zoo.judge.gates import Verdict


def test_a_failed_smoke_test_is_reported_with_its_reasons(tmp_path: Path) -> None:
    sentence = "smoke_passed of Q8_0 is 0; it must be at least 1 and misses that by 1"
    verdict = Verdict("smoke_passed", "Q8_0", 0.0, 0.0, 1.0, False, sentence)
    release = dataclasses.replace(make_release(tmp_path), verdicts=(verdict,))
    with pytest.raises(GateRefused, match=sentence):  # a folder whose evidence was deleted
        flow.refuse_failed_gates(release)
    checks = {
        "chat_template": {"passed": True, "detail": "2 conversations rendered."},
        "stops": {"passed": False, "detail": "0 of 2 answers ended by themselves after at least one token."},
        "json": {"passed": False, "detail": "Not JSON: 'x'."},
    }
    path = release.folder / "model/evidence/smoke.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"Q8_0": {"passed": False, "checks": checks, "answers": []}}), encoding="utf-8")
    with pytest.raises(GateRefused) as caught:
        flow.refuse_failed_gates(release)
    assert caught.value.what.splitlines()[1:] == [
        "  Q8_0 failed the smoke test. stops: 0 of 2 answers ended by themselves after at least one token. "
        "json: Not JSON: 'x'."
    ]
