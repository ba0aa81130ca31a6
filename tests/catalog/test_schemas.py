"""The JSON Schemas: valid by their own standard, closed, and the same as the dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
from recipesamples import PLAIN

from catalog import recipe as recipe_room
from catalog import release as release_room
from catalog import schema
from catalog.checks import CheckedRecipe
from catalog.recipe import Recipe

Check = Callable[..., CheckedRecipe]


def test_schemas_are_what_the_standard_asks() -> None:
    assert schema.names() == [
        "bench-history-v1", "bench-report-v1", "catalog-v1", "conversation-record-v1", "corpus-record-v1",
        "dataset-card-v1", "device-v1", "dialect-record-v1", "evaluation-v1", "gates-v1", "labelled-record-v1",
        "lock-v1", "model-card-v1", "probes-v1", "recipe-v1", "redaction-report-v1",
        "redaction-review-v1", "reproduction-v1", "smoke-v1", "speeds-v1", "watch-v1",
    ]  # fmt: skip
    for name in schema.names():
        loaded = schema.load(name)
        assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(loaded)
        assert not list(_open_objects(loaded)), name


def _open_objects(part: Any, base: str = "") -> Iterator[str]:
    """Objects with properties that let unknown keys pass. Front matter with the Hub's own keys must stay open."""
    if isinstance(part, dict):
        open_ = (
            part.get("type") == "object"
            and "properties" in part
            and "additionalProperties" not in part
            and "configs" not in base
        )
        if open_:
            yield base
        for key, inner in part.items():
            yield from _open_objects(inner, f"{base}/{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _open_objects(inner, f"{base}/{index}")


def resolved(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema without its ``$ref`` and ``anyOf`` null."""
    for arm in part.get("anyOf", []):
        if arm != {"type": "null"}:
            return resolved(arm, root)
    return root["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part


def _may_be_null(part: dict[str, Any]) -> bool:
    return {"type": "null"} in part.get("anyOf", []) or "null" in part.get("type", [])


JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def compare(
    cls: type, part: dict[str, Any], root: dict[str, Any], *, all_required: bool, seen: set[type]
) -> None:
    """A dataclass and its schema name the same keys, of the same kinds."""
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    properties = part["properties"]
    assert sorted(properties) == sorted(names), cls
    assert part["additionalProperties"] is False
    if all_required:
        # Older records lack some fields, which are None then.
        later = {field.name for field in dataclasses.fields(cls) if "later" in field.metadata}
        assert {*part["required"]} == {*names} - later, cls
        assert all(field.default is None for field in dataclasses.fields(cls) if field.name in later), cls
    seen.add(cls)
    for name in names:
        kind, inner = hints[name], resolved(properties[name], root)
        optional = typing.get_origin(kind) is types.UnionType
        assert not all_required or optional == _may_be_null(properties[name]), (cls, name)
        if optional:
            kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
        if not all_required:
            # A key is needed, or has a default, or may be None: nothing else could fill the field.
            assert (name in part["required"]) + ("default" in properties[name]) + optional == 1, (cls, name)
        if typing.get_origin(kind) is tuple:
            assert inner["type"] == "array", (cls, name)
            kind, inner = typing.get_args(kind)[0], resolved(inner["items"], root)
        if dataclasses.is_dataclass(kind):
            compare(typing.cast(type, kind), inner, root, all_required=all_required, seen=seen)
        elif "enum" in inner or "const" in inner:
            assert all(isinstance(word, kind) for word in inner.get("enum", [inner.get("const")]))
        else:
            wanted = JSON_TYPES[kind]
            # A size may be written with a unit or as a whole number.
            assert inner["type"] in (wanted, [wanted, "null"], ["string", "integer"]), (cls, name)


def test_recipe_schema_and_dataclasses_are_the_same() -> None:
    root, seen = schema.load("recipe-v1"), set[type]()
    compare(Recipe, root, root, all_required=False, seen=seen)
    every = {cls for cls in vars(recipe_room).values() if isinstance(cls, type) and dataclasses.is_dataclass(cls)}
    # What a student and a teacher have in common.
    assert seen == every - {recipe_room.Source}


def test_catalog_schema_and_dataclasses_are_the_same() -> None:
    root, seen = schema.load("catalog-v1"), set[type]()
    compare(release_room.Model, root["$defs"]["Model"], root, all_required=True, seen=seen)
    assert {cls.__name__ for cls in seen} == set(root["$defs"])
    assert seen == {
        cls for cls in vars(release_room).values() if isinstance(cls, type) and dataclasses.is_dataclass(cls)
    }


def test_defaults_live_only_in_the_schema() -> None:
    for cls in vars(recipe_room).values():
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            for field in dataclasses.fields(cls):
                assert (
                    field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
                ), (cls, field.name)


def test_every_default_satisfies_its_own_rule() -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "default" in part and not isinstance(part["default"], dict):
                root = schema.load("recipe-v1")
                jsonschema.validate(part["default"], {**part, "$defs": root["$defs"]})
            for inner in part.values():
                walk(inner)

    walk(schema.load("recipe-v1"))


def test_defaults_are_filled_all_the_way_down(check_text: Check) -> None:
    recipe = check_text(PLAIN).recipe
    assert recipe
    assert (recipe.benchmark.prompt_tokens, recipe.benchmark.samples) == (128, 5)
    assert recipe.export.type == "f16"
    assert recipe.corpus.train == () and recipe.label is None and recipe.teacher is None
    properties = schema.load("recipe-v1")["properties"]
    assert (
        recipe.evaluate.smoke_max_tokens
        == properties["evaluate"]["properties"]["smoke_max_tokens"]["default"]
    )


def test_filling_defaults_leaves_data_and_schema_alone() -> None:
    root = schema.load("recipe-v1")
    before, data = copy.deepcopy(root), {"zoo": 1}
    filled = schema.fill_defaults(data, root)
    filled["gates"].append("x")
    filled["corpus"]["train"].append("x")
    assert data == {"zoo": 1}
    assert root == before
