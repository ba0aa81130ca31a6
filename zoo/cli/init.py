"""zoo init"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import click

from catalog import index, shell, unseen
from zoo.cli.common import Call, options
from zoo.errors import AGAIN, InputError, ZooError, remedy_for
from zoo.files import bundled, writable
from zoo.files.whole import new_folder
from zoo.settings import MARKER
from zoo.sync import parts

_TOML = """\
# Settings of this zoo. Environment variables (ZOO_HUB, ...) and flags (--hub, ...) are stronger.
# `zoo doctor` shows every setting and where its value comes from.
namespace = "local"
hub = "build/hub"
"""

_NEW = "Name a new folder, such as: zoo init my-zoo"
_IGNORE = "/build/\n/.venv/\n"
_ATTRIBUTES = "# Lines of a history are only added, so two branches are both kept.\nbench-history.jsonl merge=union\n"


@click.command()
@options()
@click.option("--title", default="Model zoo", show_default=True, help="Title of the web site.")
@click.argument("folder", type=click.Path(path_type=Path))
def command(call: Call, folder: Path, title: str) -> None:
    """Make a new zoo in FOLDER: recipes, an empty catalog, site sources, workflows and settings."""
    if fault := _fault(folder):
        raise InputError(fault, safe="Nothing was changed.", remedy=_NEW)
    if unseen.visible(title) != title or unseen.blank(title):
        raise InputError("the title has characters that cannot be shown")
    _refuse_unwritable(folder)
    try:
        _make(folder, title)
    except OSError as error:
        # Its own words would name a temporary folder that is deleted already.
        raise ZooError(
            f"no zoo could be made in {folder}: {error.strerror or error}",
            safe="Nothing of it remains.",
            remedy=remedy_for(error),
            again=AGAIN,
        ) from error
    made = sorted(path.relative_to(folder).as_posix() for path in folder.iterdir())
    human = f"A zoo is in {folder}: {', '.join(made)}."
    human += f"\nNext: cd {shell.argument(str(folder))} && zoo check && zoo plan smollm2-135m-instruct"
    call.output.answer({"folder": str(folder), "made": made}, human)


def _refuse_unwritable(folder: Path) -> None:
    """Raises ZooError if no folder can be made there."""
    above = folder.absolute().parent
    if not (found := writable.obstacle(above)):
        return
    make = f"Make it writable (chmod u+w {shell.argument(str(found.place))}), or name" if found.is_rights else "Name"
    raise ZooError(
        f"no zoo can be made in {folder}, because {found.place} {found.what}",
        safe="Nothing was changed.",
        remedy=f"{make} a folder elsewhere, such as: zoo init ~/my-zoo",
    )


def _make(folder: Path, title: str) -> None:
    """Atomically: a complete zoo or none. Raises OSError."""
    with new_folder(folder) as scratch:
        _fill(scratch, title)


def _fault(folder: Path) -> str | None:
    """Why no zoo can be made there, as a sentence; None if it can."""
    try:
        if folder.is_symlink() and not folder.exists():
            return f"{folder} is a link to a missing folder"
        if not folder.exists():
            above = next(one for one in folder.absolute().parents if one.exists())
            return None if above.is_dir() else f"{above} is a file, so it cannot contain a folder"
        if not folder.is_dir():
            return f"{folder} is a file"
        if any(folder.iterdir()):
            return f"{folder} already exists and is not empty"
        return "the zoo cannot replace the current folder" if folder.samefile(Path.cwd()) else None
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            raise
        return f"a folder cannot have this name: {error.strerror}"


def _fill(folder: Path, title: str) -> None:
    (folder / MARKER).write_text(_TOML, encoding="utf-8")
    (folder / ".gitignore").write_text(_IGNORE, encoding="utf-8")
    (folder / ".gitattributes").write_text(_ATTRIBUTES, encoding="utf-8")
    (folder / "model_catalog.json").write_text(index.to_text(index.EMPTY), encoding="utf-8")
    shutil.copytree(bundled.recipes_folder(), folder / "recipes")
    for part in ("docs", "assets", "theme"):
        shutil.copytree(bundled.site_folder() / part, folder / "site" / part)
    shutil.copyfile(bundled.site_folder() / "hooks.py", folder / "site" / "hooks.py")
    text = bundled.mkdocs_file().read_text(encoding="utf-8")
    quoted = title.replace("'", "''")
    (folder / "mkdocs.yml").write_text(
        text.replace("site_name: Model zoo", f"site_name: '{quoted}'", 1), encoding="utf-8"
    )
    parts.update(folder)
