"""Options of commands that check a signature."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import click

from zoo.errors import InputError

Result = TypeVar("Result")

Check = Callable[[Path, Collection[str] | None], str]
"""Refuses files of a folder (None: all) that differ from the signed ones; returns who signed them."""


def signature_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Adds --require-signature and the signer's options; the function gets ``check``, None if no signature is
    required."""

    @functools.wraps(function)
    def wrapped(
        *args: object,
        require_signature: bool,
        public_key: Path | None,
        identity: str | None,
        issuer: str | None,
        **kwargs: object,
    ) -> Result:
        check = _check(public_key, identity, issuer) if require_signature or public_key or identity else None
        return function(*args, check=check, **kwargs)

    decorated: Callable[..., Result] = wrapped
    for option in (
        click.option("--issuer", metavar="URL", help="Issuer of that identity."),
        click.option("--identity", metavar="NAME", help="Identity that must have signed, such as a CI workflow."),
        click.option("--public-key", type=click.Path(path_type=Path), metavar="FILE", help="PEM file of the key that "
                     "must have signed."),
        click.option("--require-signature", is_flag=True, help="Refuse unsigned files; needs --public-key, or "
                     "--identity and --issuer."),
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated


def _check(public_key: Path | None, identity: str | None, issuer: str | None) -> Check:
    if (public_key is None) == (identity is None) or (identity is None) != (issuer is None):
        raise InputError(
            "the required signer is not given",
            safe="Nothing was downloaded.",
            remedy="Add --public-key FILE, or --identity NAME and --issuer URL",
        )
    if public_key and not public_key.is_file():
        found = f"{public_key} is not a file" if public_key.exists() else f"file {public_key} was not found"
        raise InputError(found, remedy="Name the publisher's public key file")

    def check(folder: Path, files: Collection[str] | None) -> str:
        from zoo.release.provenance import signing

        found = signing.verify(folder, public_key=public_key, identity=identity, issuer=issuer, files=files)
        return found.signer

    return check
