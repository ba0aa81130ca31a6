"""zoo converter"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from catalog import shell
from zoo.cli.common import Call, options
from zoo.errors import InputError, ZooError
from zoo.files import writable
from zoo.llama.convert import source


@click.command()
@options()
@click.option(
    "--sdist",
    type=click.Path(path_type=Path),
    help="A downloaded llama_cpp_python-VERSION.tar.gz; without it pip downloads the file.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Install into this folder instead of Python's environment. Set ZOO_CONVERTER to it.",
)
@click.option(
    "--vocabularies", is_flag=True, help="Also unpack the vocabularies that the tests need (70 MB)."
)
def command(call: Call, sdist: Path | None, to: Path | None, vocabularies: bool) -> None:
    """Install llama.cpp's converter from the source of the llama-cpp-python that is installed.

    The source contains the converter of the same llama.cpp version, so both treat files alike.
    """
    installed = source.installed()
    if installed is None:
        raise ZooError(
            "llama-cpp-python is not installed, so the matching converter is not known",
            remedy="Install it with: pip install 'model-zoo-publisher[gguf]'",
        )
    if sdist is not None and not sdist.is_file():
        raise InputError(f"There is no file {sdist}", remedy="Name a file, or leave --sdist out")
    target = to or source.FOLDER
    _refuse_unwritable(target)
    if not source.may_replace(target):
        raise InputError(
            f"{target} contains other files",
            safe="Nothing was changed.",
            remedy="Name a new or empty folder",
        )
    with tempfile.TemporaryDirectory() as scratch:
        fetched = sdist or source.download(installed, Path(scratch), call.output)
        stamp = source.unpack(fetched, target, vocabularies=vocabularies, wanted=installed)
    human = f"The converter of llama-cpp-python {stamp.llama_cpp_python} is in {target}."
    if to is not None:
        human += f"\nTo make the zoo use it: export ZOO_CONVERTER={shell.argument(str(target.absolute()))}"
    call.output.answer({"folder": str(target), **vars(stamp)}, human)


def _refuse_unwritable(target: Path) -> None:
    """Before anything is downloaded. The folder is made next to its place and moved there, so the one above counts.

    Raises InputError.
    """
    found = writable.obstacle(target.absolute().parent)
    if found is None:
        return
    place = shell.argument(str(found.place))
    first = f"Make it writable (chmod u+w {place}), or name" if found.is_rights else "Name"
    raise InputError(
        f"the converter cannot be installed in {target}, because {found.place} {found.what}",
        safe="Nothing was downloaded or changed.",
        remedy=f"{first} another folder: {source.INSTALL} --to FOLDER, then export ZOO_CONVERTER=FOLDER",
    )
