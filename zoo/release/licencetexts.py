"""The licence texts and notices of a release, byte for byte as in the zoo."""

from __future__ import annotations

from pathlib import Path

from catalog import licencefiles, terms
from catalog.recipe import plain
from zoo.errors import AGAIN, ZooError
from zoo.files.digests import sha256_file
from zoo.files.whole import write_atomic
from zoo.release.material import Material


def place(material: Material, folder: Path) -> None:
    """Copy every licence file of the recipe to the top of ``folder``. Raises ZooError if one has changed."""
    for path in material.recipe.licence_files:
        source = material.settings.root / path
        target = folder / licencefiles.published_name(path)
        write_atomic(target, source.read_bytes())
        if sha256_file(target) != material.world.files.get(path):
            raise ZooError(
                f"{path} changed while the release was being built",
                safe="Nothing was published; the finished steps are kept.",
                again=AGAIN,
            )


def dataset_has_them(material: Material) -> bool:
    """Whether the answers come from a teacher whose licence has its own requirements."""
    return any(role == "teacher" for role, _ in terms.kinds_of(plain(material.recipe)))
