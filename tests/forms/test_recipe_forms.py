"""Forms of recipes: every key of the schema is a field, and a change keeps every byte that it is not about."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipesamples import PLAIN

from catalog import schema, yamltext
from catalog.jsontext import Json
from catalog.schema import Schema
from zoo.errors import InputError
from zoo.forms import recipes

ROOT = Path(__file__).parents[2]
STARTERS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "recipes").glob("*.yaml"))
            if not path.name.endswith(".lock.yaml")} | {"plain": PLAIN}  # fmt: skip


def keys(rule: Schema, root: Schema) -> set[str]:
    """Every key of the schema that has a value of its own."""
    if "$ref" in rule:
        rule = root["$defs"][rule["$ref"].rsplit("/", 1)[1]]
    if "properties" in rule:
        return {
            f"{key}.{inner}".rstrip(".") for key, part in rule["properties"].items() for inner in keys(part, root)
        }
    inner = keys(rule["items"], root) if "items" in rule else {""}
    return {f"[].{one}".rstrip(".") for one in inner} if inner != {""} else {""}


def test_every_key_of_the_schema_is_a_field() -> None:
    root = schema.load(recipes.NAME)
    wanted = keys(root, root)
    # One entry in every list, so that its keys are fields too.
    data: dict[str, Json] = {
        "corpus": {part: [{}] for part in ("train", "heldout", "evaluation", "calibration", "coverage")},
        "quantize": {"overrides": [{}], "budgets": [{}]}, "probes": [{}], "gates": [{}],
        "publish": {"gate_questions": [{}]},
        "teacher": {"tune": {"corpus": {"train": [{}], "heldout": [{}]}}},
    }  # fmt: skip
    found = {one.name.replace("[0]", ".[]") for one in recipes.entries(data) if not one.is_new}
    assert found == wanted and len(wanted) > 90


@pytest.mark.parametrize("name", list(STARTERS))
def test_nothing_changes_without_a_change(name: str) -> None:
    text = STARTERS[name]
    for entry in recipes.entries(recipes.data_of(text)):
        assert recipes.changed(text, entry.name, entry.shown).text == text, entry.name


def sample(entry: recipes.Entry) -> str:
    """Something to write into a field."""
    if entry.choices:
        return entry.choices[-1]
    if entry.is_new:
        return "{" + ", ".join(f"{key}: abc" for key in entry.rule["properties"]) + "}"
    match entry.rule.get("type"):
        case "integer" | "number" | ["string", "integer"]:
            return "17"
        case "array":
            return "[a, 'b: c', \"d\"]"
    return "a value: with # marks, 'quotes' and é"


@pytest.mark.parametrize("name", ["smollm2-tutor-57m", *(pytest.param(n, marks=pytest.mark.long) for n in STARTERS)])
def test_every_field_can_be_set_changed_and_taken_away(name: str) -> None:
    text = STARTERS[name]
    comments = [line for line in text.split("\n") if line.lstrip().startswith("#")]
    for entry in recipes.entries(recipes.data_of(text)):
        made = recipes.changed(text, entry.name, sample(entry)).text
        document = yamltext.parse(made.encode(), "recipe")
        assert not document.problems, (entry.name, made)
        assert [line for line in made.split("\n") if line.lstrip().startswith("#")] == comments
        after = recipes.found(document.data, entry.name) if not entry.is_new else None
        assert after is None or after.shown == (sample(entry) if "[" not in sample(entry) else '[a, "b: c", d]')
        gone = recipes.changed(made, entry.name, "").text if not entry.is_new else made
        assert yamltext.parse(gone.encode(), "recipe").data is not None
        if entry.value is None and not entry.is_new:
            assert gone == text, entry.name


def test_a_new_section_comes_where_the_schema_has_it() -> None:
    made = recipes.changed(STARTERS["smollm2-135m-instruct"], "teacher.source", "hf:a/b").text
    document = yamltext.parse(made.encode(), "recipe")
    assert isinstance(document.data, dict)
    order = list(schema.load(recipes.NAME)["properties"])
    assert list(document.data) == sorted(document.data, key=order.index)
    assert "teacher:\n  source: hf:a/b\n" in made


def test_a_number_that_is_none_stays_and_the_schema_says_so() -> None:
    made = recipes.changed(PLAIN, "evaluate.windows", "many").text
    problems = schema.problems(yamltext.parse(made.encode(), "recipe"), recipes.NAME)
    assert [one.path for one in problems] == ["evaluate.windows"]


def test_a_list_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError):
        recipes.changed(PLAIN, "languages", "[en")
    with pytest.raises(InputError):
        recipes.changed(PLAIN, "colour", "red")


def test_the_difference_is_shown() -> None:
    shown = recipes.changed(PLAIN, "version", "9.9.9").difference
    assert "+version: 9.9.9" in shown and shown.startswith("@@")


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).map(str.strip).filter(bool)


@given(TEXTS, st.sampled_from(["summary", "student.note", "label.system", "licence_name"]))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_back(written: str, name: str) -> None:
    try:
        made = recipes.changed(PLAIN, name, written).text
    except InputError:
        # Invisible characters, which no recipe may have.
        assert not written.isprintable()
        return
    assert recipes.found(recipes.data_of(made), name).value == written
