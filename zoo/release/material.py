"""What a release folder is made of: the checked recipe, its plan, and the results of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from catalog import jsontext
from catalog.checks import CheckedRecipe
from catalog.recipe import Recipe
from catalog.shapes import shaped
from zoo.corpora.rows import Labelled
from zoo.plan.plan import Plan, World, file_makers
from zoo.settings import Settings
from zoo.stages.artifact import Artifact


@dataclass(frozen=True)
class Material:
    """Everything that enters one release folder; artifacts by the id of their step."""

    checked: CheckedRecipe
    recipe: Recipe
    plan: Plan
    artifacts: Mapping[str, Artifact]
    world: World
    settings: Settings

    @cached_property
    def makers(self) -> dict[str, str]:
        """The step that makes each file, by the file's type or label."""
        return file_makers(self.recipe)

    @property
    def labels(self) -> Artifact:
        """The step with the rows that were learnt and are released."""
        return self.artifacts.get("redact") or self.artifacts["label"]

    def rows(self, part: str) -> list[Labelled]:
        """The labelled rows of ``train`` or ``heldout``."""
        text = self.labels.path(f"{part}.jsonl").read_text(encoding="utf-8")
        return [shaped(jsontext.parse(line), Labelled) for line in text.split("\n") if line]
