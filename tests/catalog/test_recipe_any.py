"""Any text at all as a recipe: either a recipe, or problems with places in the file."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from recipesamples import TUTORED

from catalog import yamltext
from catalog.checks import CheckedRecipe, check_recipe
from catalog.recipe import plain, recipe_from_mapping

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def any_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    (folder / "recipes").symlink_to(REPOSITORY / "recipes")
    return folder


def consistent(raw: bytes, folder: Path) -> CheckedRecipe:
    """Either problems or a recipe, and every problem printable on one line."""
    path = folder / "tutored.yaml"
    path.write_bytes(raw)
    checked = check_recipe(path, folder)
    assert (checked.recipe is None) == bool(checked.problems)
    for problem in checked.problems:
        assert problem.line >= 1 and problem.column >= 1
        assert "\n" not in str(problem)
        str(problem).encode()
    if checked.recipe is not None:
        assert recipe_from_mapping(plain(checked.recipe)) == checked.recipe
    return checked


lightly = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
)
values = st.recursive(
    scalars | st.sampled_from(["hf:a/b@main", "file:../x", "Q8_0", "MIT OR (", "0" * 64, "1.0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(raw=st.binary(max_size=400))
@lightly
def test_any_bytes(raw: bytes, any_zoo: Path) -> None:
    consistent(raw, any_zoo)


@given(
    text=st.text(
        st.sampled_from("ab:-[]{}&*!|>'\"%@`#?,~ \n\t\\u0") | st.characters(codec="utf-8"), max_size=200
    )
)
@lightly
def test_any_text(text: str, any_zoo: Path) -> None:
    consistent(text.encode(), any_zoo)


@given(
    start=st.integers(0, len(TUTORED)),
    length=st.integers(0, 60),
    new=st.text(st.characters(codec="utf-8"), max_size=20),
)
@lightly
def test_any_slice_of_a_valid_recipe_may_be_replaced(
    start: int, length: int, new: str, any_zoo: Path
) -> None:
    consistent((TUTORED[:start] + new + TUTORED[start + length :]).encode(), any_zoo)


def paths_of(value: Any, base: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value except the top level."""
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield (*base, key)
        yield from paths_of(inner, (*base, key))


TUTORED_DATA = yamltext.parse(TUTORED.encode(), "x").data
TUTORED_PATHS = list(paths_of(TUTORED_DATA))


@given(
    changes=st.lists(st.tuples(st.sampled_from(TUTORED_PATHS), st.just(...) | values), min_size=1, max_size=3)
)
@lightly
def test_any_value_of_a_valid_recipe_may_be_replaced_or_deleted(
    changes: list[tuple[Any, Any]], any_zoo: Path
) -> None:
    data = copy.deepcopy(TUTORED_DATA)
    for path, new in changes:
        container = data
        try:
            for part in path[:-1]:
                container = container[part]
            if new is ...:
                del container[path[-1]]
            else:
                container[path[-1]] = new
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed this place
    consistent(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "replace"), any_zoo)
