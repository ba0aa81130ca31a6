"""Pages of evidence: what they show of each file, and that a file of another form breaks no page."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import evidencesamples
import pytest
from sitesamples import HOSTILE, sample

from catalog import schema
from catalog.release import EvidenceFile, Model
from zoo.judge import deciding
from zoo.judge.deciding import Look
from zoo.judge.questions import Rule
from zoo.site.pages import evidence
from zoo.site.pages.kinds import Site

CONTENTS: dict[str, Any] = {
    "bench/Q8_0.json": evidencesamples.bench(),
    "bench/F16.json": evidencesamples.bench("F16", speed=21.0),
    "bench/Q4_K_M.json": evidencesamples.bench("Q4_K_M", valid=False),
    "evaluation.json": evidencesamples.evaluation(),
    "probes.json": evidencesamples.probes(),
    "gates.json": evidencesamples.gates(),
    "smoke.json": evidencesamples.smoke(),
}
SCHEMAS = {"evaluation": "evaluation-v1", "probes": "probes-v1", "gates": "gates-v1", "smoke": "smoke-v1"}
UNKNOWN = "another form than this site knows"


def model() -> Model:
    """The first sample with every kind of evidence."""
    first = sample().models[0]
    listed = tuple(EvidenceFile(path, 1, "1" * 64) for path in (*CONTENTS, "plan.json"))
    return dataclasses.replace(first, releases=(dataclasses.replace(first.releases[0], evidence=listed),))


def pages(contents: dict[str, Any]) -> dict[str, str]:
    """The pages by the last part of their address."""
    assert evidence.KIND.each
    made = evidence.KIND.each(
        model(), Site(), lambda _, path: json.dumps(contents[path]).encode() if path in contents else None
    ).files
    return {path.split("/")[-2]: str(html) for path, html in made.items()}


@pytest.mark.parametrize("path", CONTENTS)
def test_the_samples_are_as_the_schemas_say(path: str) -> None:
    known = SCHEMAS.get(path.removesuffix(".json"), "bench-report-v1")
    assert [error.message for error in schema.validator(known).iter_errors(CONTENTS[path])] == []


def test_every_kind_of_evidence_has_a_page_that_leads_to_the_file_and_its_schema() -> None:
    made = pages(CONTENTS)
    assert sorted(made) == ["gates", "loss", "probes", "smoke", "speed"]
    for name, path in (("loss", "evaluation.json"), ("probes", "probes.json"), ("speed", "bench/Q8_0.json")):
        assert f'href="../../../../../evidence/smollm2-135m-instruct/1.0.0/{path}"' in made[name]
    assert all('href="../../../../../schemas/' in html and UNKNOWN not in html for html in made.values())


def test_a_run_shows_samples_machine_command_versions_and_why_it_counts() -> None:
    page = pages(CONTENTS)["speed"]
    assert page.count("<circle") == 15 and 'href="#bench-Q8_0"' in page
    assert "Valid: every check was passed" in page and "Not valid</strong>" in page
    assert "other processes used 31% of the machine" in page
    for words in ("Raspberry Pi 5", "Cortex-A76", "4, 4 threads used", "0.3.36", "Debian 12", "NEON = 1", "62 °C"):
        assert words in page, words
    command = "python3 -m pi_runtime bench model-Q8_0.gguf --prompt-tokens 128 --decode-tokens 64 --samples 5"
    engine = "--engine &#39;python3 -m zoo.llama.measure.speed&#39;"
    assert f"{command} --threads 4 --context 256 {engine} --device pi-5-8gb" in page


def test_the_loss_of_every_file_is_drawn_and_its_text_is_named() -> None:
    page = pages(CONTENTS)["loss"]
    assert page.count("<circle") == 8 and "0.0056 ± 0.0003" in page and "0.340 ± 0.017" in page
    assert "1,270 tokens" in page and "evaluation.en.txt" in page and "llama-cpp-python 0.3.36" in page


def test_an_evaluation_that_stopped_early_says_why_and_what_was_open() -> None:
    last = Look(("Q8_0 and Q4_0 differ in their loss",), {"Q8_0": 0.04, "Q4_0": None}, "relative_error")
    stopped = {**evidencesamples.evaluation(), "stop": deciding.stop(Rule((), 0.05), last, {"Q8_0": 10}, 120, 127)}
    assert [error.message for error in schema.validator("evaluation-v1").iter_errors(stopped)] == []
    page = pages({**CONTENTS, "evaluation.json": stopped})["loss"]
    for words in ("Why it stopped", "Measured on 1,270 of 15,240 tokens, because", "an anytime-valid t-test"):
        assert words in page, words
    assert "Not settled when it stopped: whether Q8_0 and Q4_0 differ in their loss." in page
    assert "Why it stopped" not in pages(CONTENTS)["loss"]


def test_a_file_that_was_settled_sooner_says_on_how_much_text_and_its_perplexity_can_be_compared() -> None:
    found = evidencesamples.evaluation()
    found["candidates"]["Q4_0"] |= {"tokens": 508, "windows": 4, "perplexity": 9.9, "ln_ppl_ratio": 0.1}
    page = pages({**CONTENTS, "evaluation.json": found})["loss"]
    assert "1,270 tokens of text as F16, some only a part of them." in page
    assert ">Q4_0 (on 508 tokens)</th>" in page and ">Q8_0</th>" in page
    # 14.2 e^0.1, and of the errors 0.5 e^0.1 and 15.7 times 0.01
    assert "15.7 ± 0.6" in page and "9.9" not in page
    assert "times the ratio of the two on what it read" in page
    assert "only a part of them" not in pages(CONTENTS)["loss"]
    found["candidates"]["Q4_0"]["ln_ppl_ratio"] = 1e9
    assert "(on 508 tokens)" in pages({**CONTENTS, "evaluation.json": found})["loss"], "a stranger's file is shown"


def test_questions_on_which_files_differ_come_first() -> None:
    page = pages(CONTENTS)["probes"]
    first = page.index("What is 17 + 1?")
    assert all(found.start() >= first for found in re.finditer(r"What is \d+ \+ 1", page))
    assert "The evidence file has 34 more." in page and "22 of 40" in page and "The cars is red." in page


def test_gates_and_the_smoke_test_say_what_failed() -> None:
    made = pages(CONTENTS)
    assert "<strong>passed</strong>" in made["gates"] and "<strong>failed</strong>" in made["gates"]
    assert "complete release" in made["gates"] and "valid_share has no valid measurement" in made["gates"]
    assert "Q8_0: passed" in made["smoke"] and "Q4_0: failed" in made["smoke"]
    assert "Cut off at the length limit" in made["smoke"]


@pytest.mark.parametrize("broken", [None, [], {}, "x", {"probes": [{}]}, {"candidates": {}}, [{}], {"Q8_0": {}}])
def test_evidence_of_another_form_leaves_the_way_to_the_file(broken: object) -> None:
    made = pages(dict.fromkeys(CONTENTS, broken))
    assert sorted(made) == ["gates", "loss", "probes", "smoke", "speed"]
    for name in ("loss", "probes", "speed"):
        assert UNKNOWN in made[name] and "/evidence/smollm2-135m-instruct/1.0.0/" in made[name]


def _hostile(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _hostile(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_hostile(value) for value in part]
    return HOSTILE if isinstance(part, str) else part


def test_hostile_words_stay_text() -> None:
    for name, page in pages({path: _hostile(content) for path, content in CONTENTS.items()}).items():
        assert "<script>alert" not in page and "<svg onload" not in page and "\u202e" not in page, name
        assert "alert(1)" in page, name
