"""Signing a release: a built release is signed before it is published, because it never changes afterwards."""

from __future__ import annotations

from pathlib import Path

from catalog import shell
from zoo import catalogfile, commandline
from zoo.errors import ZooError
from zoo.progress import Reporter
from zoo.release.folder import ReleaseFolder, with_signatures
from zoo.release.provenance import SIGNATURE, signing
from zoo.settings import Settings


def sign(
    release: ReleaseFolder, settings: Settings, report: Reporter, *, key: Path | None
) -> tuple[ReleaseFolder, bool]:
    """Sign both repositories of a built release. Returns it with its signatures, and whether anything was signed.

    key: a private key file; None signs keyless. Raises ZooError if the version is already published without this
    signature.
    """
    name, version = release.model.name, release.release.version
    parts = [part for part in ("model", "dataset") if (release.folder / part).is_dir()]
    known = catalogfile.read_model(settings, name)
    how = ("--sign-key", shell.argument(str(key))) if key else ("--sign",)
    again = commandline.line(settings, "release", name, *how)
    if known and known.release(version):
        if all((release.folder / part / SIGNATURE).is_file() for part in parts):
            if key is not None and any(signing.is_by_another(release.folder / part, key) for part in parts):
                raise ZooError(
                    f"{name} {version} is published with a signature that is not by {key.name}, and published versions"
                    " never change",
                    safe="Nothing was changed.",
                    remedy=f"Raise the version in the recipe, then: {again}",
                )
            return release, False
        raise ZooError(
            f"{name} {version} is published without a signature, and published versions never change",
            safe="Nothing was changed.",
            remedy=f"Raise the version in the recipe, then: {again}",
        )
    if key is not None and any(signing.is_by_another(release.folder / part, key) for part in parts):
        report.warn(f"{name} {version} has a signature that is not by {key.name}. It is replaced")
    size = sum(file.size_bytes for file in (*release.model_files, *release.dataset_files))
    with report.task(f"signing {name} {version}", size, "B") as advance:
        # Every part, even if the first was already signed.
        done = [signing.sign(release.folder / part, key=key) for part in parts]
        advance(size)
    return with_signatures(release), any(done)
