"""Probe items, verdicts and intervals: the same on every machine, correct, and with words for people."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
from collections.abc import Callable

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipesamples import PLAIN
from sitesamples import sample
from test_gates import Fake, gate

from catalog import guessing, schema
from catalog.checks import CheckedRecipe
from catalog.release import ModelFile, ProbeScore
from zoo.judge import probes
from zoo.judge.gates import Verdict, judge
from zoo.judge.probes import report, verdict
from zoo.judge.probes.item import Answer, Question
from zoo.release.cards import model_card
from zoo.site.pages.kinds import Site
from zoo.site.pages.model import model_page

NAMES = list(probes.MAKERS)
RELEASE = sample().models[0].releases[0]


def test_the_recipe_format_knows_every_probe() -> None:
    properties = schema.load("recipe-v1")["properties"]
    assert properties["probes"]["items"]["properties"]["probe"]["enum"] == NAMES
    metrics = properties["gates"]["items"]["properties"]["metric"]["enum"]
    assert [name for name in metrics if name.startswith("probe_")] == [f"probe_{n}_share" for n in NAMES]
    assert [one["probe"] for one in properties["probes"]["default"]] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_probe_has_different_items_and_a_title(name: str) -> None:
    probe = probes.make(name, 500, 0)
    items = [(q.prompt, "") for q in probe.questions] + [(p.good, p.bad) for p in probe.pairs]
    assert len(set(items)) == 500 and probe.name == name and report.title(name) == probe.title
    assert len({item.id for item in (*probe.questions, *probe.pairs)}) == 500
    assert all(question.max_tokens <= 64 for question in probe.questions)
    asked = {question for question, _ in probe.shots}
    assert not asked & {question.prompt for question in probe.questions}


@pytest.mark.parametrize("name", NAMES)
def test_items_depend_on_the_seed_only(name: str) -> None:
    random.seed(7)
    assert probes.make(name, 30, 0) == probes.make(name, 30, 0) != probes.make(name, 30, 1)
    few, many = probes.make(name, 10, 0), probes.make(name, 30, 0)
    assert (few.questions, few.pairs) == (many.questions[:10], many.pairs[:10])


def test_items_are_those_that_were_measured() -> None:
    """The figures of published releases depend on exactly these items: to change them, change LABEL too."""
    text = repr([probes.make(name, 40, 0) for name in NAMES])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "a81543bd94d8a122"


@pytest.mark.parametrize(
    ("probes_text", "gate_text", "words"),
    [
        ("[{probe: json}, {probe: json, items: 3}]", "", "is listed twice"),
        ("[]", "", ""),
        ("[{probe: jsn}]", "", "jsn"),
        ("[{probe: json, items: 0}]", "", "items"),
        ("[{probe: stop}]", "probe_json_share", "the recipe has no probe json"),
        ("[{probe: pairs_en}]", "probe_pairs_en_share", ""),
    ],
)
def test_the_recipe_key(
    probes_text: str, gate_text: str, words: str, check_text: Callable[..., CheckedRecipe]
) -> None:
    text = PLAIN.replace("gates:\n", f"probes: {probes_text}\n\ngates:\n")
    if gate_text:
        text = text.replace("gates:\n", f"gates:\n  - {{metric: {gate_text}, at_least: 0.1}}\n")
    found = check_text(text)
    said = "; ".join(map(str, found.problems))
    assert (not said and found.recipe) if not words else words in said


def test_too_many_items_are_refused() -> None:
    from zoo.judge.probes.item import distinct

    with pytest.raises(ValueError, match="has no 3 different items, only about 2"):
        distinct("x", 3, 0, lambda dice: dice.randrange(2))


@pytest.mark.parametrize("name", ["pairs_en", "pairs_fr"])
def test_pairs_begin_alike_and_cover_every_kind(name: str) -> None:
    pairs = probes.make(name, 200, 3).pairs
    assert all(pair.good.split()[0] == pair.bad.split()[0] and pair.good != pair.bad for pair in pairs)
    kinds = {pair.phenomenon for pair in pairs}
    assert len(kinds) == 6
    assert all(len(pair.good.split()) == len(pair.bad.split()) for pair in pairs)


def test_right_sums_and_schemas() -> None:
    for question in probes.make("arithmetic", 100, 1).questions:
        asked = question.prompt.removeprefix("What is ").removesuffix("?").replace("x", "*")
        assert question.expected == str(eval(asked))
    for question in probes.make("json", 50, 1).questions:
        assert question.schema
        jsonschema.Draft202012Validator.check_schema(dict(question.schema))
        assert all(key in question.prompt for key in question.schema["properties"])


# --- Verdicts

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"age": 3}', True),
        (' \n{"age": 3}\n', True),
        ('```json\n{"age": 3}\n```', True),
        ('Here: {"age": 3}', False),
        ('{"age": "3"}', False),
        ('{"age": 3, "b": 1}', False),
        ('{"age": NaN}', False),
        ("{'age': 3}", False),
        ("[" * 100_000, False),
        ("", False),
    ],
)
def test_json_is_judged_strictly(text: str, right: bool) -> None:
    assert verdict.right("json", Question("q", "", 9, schema=SCHEMA), text, "stop", ()) is right


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("19", "19"), ("12 + 7 = 19", "19"), ("\n 19.\nand 20", "19"), ("1,024", "1024"), ("-7", "-7"),
        ("nothing", None), ("", None), ("007", "7"),
    ],
)  # fmt: skip
def test_the_last_number_of_the_first_line_counts(text: str, number: str | None) -> None:
    assert verdict.last_number(text) == number


@pytest.mark.parametrize(
    ("text", "finish", "right"),
    [
        ("Red.", "stop", True),
        ("Red.", "length", False),
        (" ", "stop", False),
        ("Red<|im_end|>", "stop", False),
    ],
)
def test_an_answer_ends_by_itself_and_shows_no_marker(text: str, finish: str, right: bool) -> None:
    assert verdict.right("stop", Question("q", "", 9), text, finish, ["<|im_end|>"]) is right


def test_copying_is_exact_but_for_quotes() -> None:
    question = Question("q", "", 9, expected="lamp 4")
    for text, right in (("lamp 4", True), ('"lamp 4"\n', True), ("Lamp 4", False), ("lamp 4.", False)):
        assert verdict.right("copying", question, text, "stop", ()) is right


# --- Counts


def test_wilson_against_published_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
    for (correct, total), (low, high) in {
        (81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611), (1, 29): (0.0061, 0.1718),
    }.items():  # fmt: skip
        assert guessing.wilson(correct, total) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError, match="0 of 0 is not a share"):
        guessing.wilson(0, 0)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(counts: tuple[int, int]) -> None:
    correct, total = counts
    low, high = guessing.wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1 and low < high
    mirrored = guessing.wilson(total - correct, total)
    assert mirrored[0] == pytest.approx(1 - high, abs=1e-12) and math.isfinite(low)


def test_evidence_holds_every_item_once_and_every_answer() -> None:
    probe = probes.make("arithmetic", 2, 0)
    files = {}
    for type_, correct in (("F16", True), ("Q4_0", False)):
        answers = [Answer(q.id, "7", "stop", correct) for q in probe.questions]
        files[type_] = json.loads(json.dumps([report.record(probe, answers)]))
    (found,) = report.evidence(files)["probes"]
    assert [item["id"] for item in found["items"]] == ["arithmetic-1", "arithmetic-2"]
    assert found["items"][0]["answers"]["Q4_0"] == {"answer": "7", "finish": "stop", "correct": False}
    assert "answer" not in found["items"][0] and found["items"][0]["expected"]
    assert found["scores"]["F16"]["correct"] == 2 and found["scores"]["Q4_0"]["correct"] == 0


# --- What people see


def scored(correct: int, total: int, probe: str = "json") -> ProbeScore:
    return report.score(probe, None, [True] * correct + [False] * (total - correct))


def probed(correct: tuple[int, ...] = (9, 4, 3, 2)) -> tuple[ModelFile, ...]:
    return tuple(
        dataclasses.replace(file, probes=(scored(n, 12),))
        for file, n in zip(RELEASE.files, correct, strict=True)
    )


def test_words_of_a_score() -> None:
    assert report.words(scored(9, 12)) == "9 of 12 (47-91 %)"
    title, cells = report.rows(probed())[0]
    assert title == "Valid JSON without a grammar" and len(cells) == 4 and cells[0] == "9 of 12 (47-91 %)"
    assert report.rows(RELEASE.files) == []
    some = (probed()[0], RELEASE.files[1])
    assert report.rows(some)[0][1] == ["9 of 12 (47-91 %)", "not probed"]
    assert report.title("of a newer program") == "of a newer program"


def test_the_card_and_the_page_show_probes(check_text: Callable[..., CheckedRecipe]) -> None:
    recipe = check_text(PLAIN).recipe
    assert recipe
    model = sample().models[0]
    release = dataclasses.replace(RELEASE, files=probed())
    card = model_card(recipe, model, release, "local")
    assert "## Task probes" in card and "| Valid JSON without a grammar | 9 of 12 (47-91 %) |" in card
    page = model_page(dataclasses.replace(model, releases=(release,)), release, Site(), ())
    assert "9 of 12 (47-91 %)" in page.html and 'id="probes"' in page.html
    assert 'id="probes"' not in model_page(model, RELEASE, Site(), ()).html


@pytest.mark.parametrize(("bound", "kept"), [(0.4, True), (0.47, False), (0.75, False)])
def test_a_gate_judges_the_end_of_the_interval(bound: float, kept: bool) -> None:
    found = _judged(Fake(gate("probe_json_share", "Q8_0", at_least=bound), ladder=("Q8_0",)))
    assert found.kept is kept and found.measured == 0.75
    assert found.judged == pytest.approx(guessing.wilson(9, 12)[0])
    assert "probe_json_share of Q8_0 is 0.75; 0.467695" in found.sentence


def _judged(recipe: object) -> Verdict:
    (found,) = judge(recipe, probed((9, 9, 9, 9)), None, None)
    return found


def test_a_gate_on_a_probe_that_was_not_asked() -> None:
    recipe = Fake(gate("probe_stop_share", "Q8_0", at_least=0.1), ladder=("Q8_0",))
    assert not _judged(recipe).kept and "has no valid measurement" in _judged(recipe).sentence
