"""Where the zoo's own data files are: next to the code in a wheel, else in the repository."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parents[1] / "_data"
_REPOSITORY = Path(__file__).parents[2]


def site_folder() -> Path:
    """The folder ``site/`` with documents, templates, assets and the mkdocs hooks."""
    packaged = _PACKAGED / "site"
    return packaged if packaged.is_dir() else _REPOSITORY / "site"


def mkdocs_file() -> Path:
    """The bundled ``mkdocs.yml``, next to ``site/``."""
    return site_folder().parent / "mkdocs.yml"


def recipes_folder() -> Path:
    """The starter recipes and their corpora."""
    packaged = _PACKAGED / "recipes"
    return packaged if packaged.is_dir() else _REPOSITORY / "recipes"
