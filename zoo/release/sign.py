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


def warn_unsigned(release: ReleaseFolder, settings: Settings, report: Reporter) -> None:
    """Warn of a new version that is not signed although one before it is: it cannot be signed once it is published."""
    name, version = release.model.name, release.release.version
    known = catalogfile.read_model(settings, name)
    if known is None or known.release(version) or any(file.path == SIGNATURE for file in release.model_files):
        return
    signed = next((one.version for one in known.preferred() if one.location.model.signature_sha256), None)
    if signed:
        how = commandline.line(settings, "sign", name, "--key", "FILE")
        report.warn(
            f"{name} {version} is not signed, but {signed} is, and a published version cannot be signed later. "
            f"To sign it first, stop now and run: {how}"
        )


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
