"""What does not fit the setting sharding is named before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipeplans import made, put
from recipeplans import tutored as tutored

from catalog.recipe import Recipe
from zoo.errors import ZooError
from zoo.plan import preflight
from zoo.plan.costs import Costs
from zoo.plan.preflight import Build
from zoo.progress import Silent
from zoo.settings import load


@pytest.mark.parametrize(
    ("adapter", "environment", "named"),
    [
        ("qlora", {"ZOO_PROCESSES": "2", "ZOO_SHARDING": "full"}, True),
        ("qlora", {"ZOO_PROCESSES": "2"}, False),
        ("qlora", {"ZOO_SHARDING": "full"}, False),
        ("lora", {"ZOO_PROCESSES": "2", "ZOO_SHARDING": "full"}, False),
    ],
)
def test_weights_of_4_bits_in_shares(
    adapter: str, environment: dict[str, str], named: bool, tutored: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "zoo.toml").touch()
    recipe = put(tutored, distill={"adapter": adapter})
    build = Build(recipe, made(recipe), ["distill"], {})
    with pytest.raises(ZooError) as caught:
        preflight.check(build, Costs(1, 0, 0, 0, ()), load(tmp_path, {}, environment), Silent())
    assert ("sharding does not fit adapter qlora: a weight in 4 bits" in str(caught.value)) == named
    assert ("training would go wrong without a message: set sharding to none, or take" in str(caught.value)) == named
