"""Signing a release and verifying it, through model-signing (https://github.com/sigstore/model-transparency).

The signature is a Sigstore bundle over the sha256 of every file of a repository except itself: with an elliptic-curve
key from a file, which needs no network, or keyless with the identity of a CI job. Anyone who fetched a part of a
release can verify that part.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict, TypeVar

from catalog import jsontext
from catalog.shapes import WrongShape, shaped
from zoo import extras
from zoo.errors import InputError, NotTrusted, ZooError
from zoo.files.digests import sha256_file
from zoo.files.whole import write_atomic
from zoo.release.provenance import SIGNATURE

if TYPE_CHECKING:
    from model_signing.manifest import Manifest


Found = TypeVar("Found")


class _Verifier(Protocol):
    """What the library verifies a signature with."""

    def verify(self, signature: object, /) -> Manifest: ...


class _Key(TypedDict):
    hint: NotRequired[str | None]


class _Material(TypedDict):
    publicKey: NotRequired[_Key]


class _Bundle(TypedDict):
    """Of a Sigstore bundle, only what says whose signature it is."""

    verificationMaterial: _Material


class SignatureRefused(NotTrusted):
    """The signature is missing or has the wrong signer, or a file differs from the signed one."""


@dataclass(frozen=True)
class Verified:
    """files: the compared ones. missing: signed, but not here. signer: the key's digest, or the identity."""

    files: tuple[str, ...]
    missing: tuple[str, ...]
    signer: str


def sign(folder: Path, *, key: Path | None = None) -> bool:
    """Write ``model.sig`` into ``folder``. False if the folder already has this key's signature over these files.

    key: a PEM file with an elliptic-curve key (P-256, P-384 or P-521), not encrypted. None: keyless, with the identity
    token that the CI job's environment offers. Raises MissingExtra, InputError or ZooError.
    """
    signing = _library("signing")
    target = folder / SIGNATURE
    if key is not None and target.exists() and _is_signed_by(folder, key):
        return False
    config = signing.Config().set_hashing_config(_hashing(folder))
    if key is not None:
        _with_key(key, lambda: config.use_elliptic_key_signer(private_key=key))
    else:
        _require_identity()
        _told(
            "Sigstore cannot be reached",
            lambda: config.use_sigstore_signer(use_ambient_credentials=True),
            "Check the network, then run again",
        )
    with tempfile.TemporaryDirectory() as temporary:
        # Next to the folder, so that an incomplete signature is never seen.
        made = Path(temporary) / SIGNATURE
        _told(
            "the release could not be signed",
            lambda: config.sign(folder, made),
            "Check the network, then run again",
        )
        write_atomic(target, made.read_bytes())
    return True


def verify(
    folder: Path,
    *,
    public_key: Path | None = None,
    identity: str | None = None,
    issuer: str | None = None,
    files: Collection[str] | None = None,
    complete: bool = False,
) -> Verified:
    """Compare the files in ``folder`` with its signature, and the signature with the required signer.

    public_key: a PEM file; or identity and issuer of a keyless signature. files: the only ones to check; None for all
    in the folder (of those that begin with a dot, only signed ones). complete: a missing signed file is refused too.
    Raises SignatureRefused with what is wrong, InputError for invalid arguments, MissingExtra without the library.
    """
    if (public_key is None) == (identity is None) or (identity is None) != (issuer is None):
        raise InputError(
            "verifying a signature requires a public key, or an identity and its issuer",
            remedy="Use --public-key, or --identity and --issuer",
        )
    _library("verifying")
    path = folder / SIGNATURE
    if not path.is_file():
        raise SignatureRefused(
            f"the release is not signed: there is no {SIGNATURE}",
            safe="Nothing was changed.",
            remedy="Ask the publisher for a signed version. To take it as it is, name no signer and leave out "
            "--require-signature",
        )
    signed = _signed(path, public_key, identity, issuer)
    there = _there(folder)
    wanted = (
        set(files)
        if files is not None
        else {name for name in there if name in signed or not _is_hidden(name)}
    )
    wrong = [*_differences(folder, wanted, signed)]
    missing = tuple(sorted(signed.keys() - there))
    if complete and missing:
        wrong.append(
            f"{missing[0]} is signed but missing" + (f" ({len(missing)} files)" * (len(missing) > 1))
        )
    if wrong:
        raise SignatureRefused(
            "\n".join(["the files are not the ones that were signed", *(f"  {line}" for line in wrong[:20])]),
            safe="Do not use them.",
            remedy="Fetch them again",
        )
    signer = f"key {_key_digest(public_key)[:16]}" if public_key else f"{identity} by {issuer}"
    return Verified(tuple(sorted(wanted & signed.keys())), missing, signer)


def _differences(folder: Path, wanted: Collection[str], signed: dict[str, str]) -> list[str]:
    wrong = []
    for name in sorted(wanted):
        if name not in signed:
            wrong.append(f"{name} was not signed")
        elif not (folder / name).is_file():
            wrong.append(f"{name} is not there")
        elif sha256_file(folder / name) != signed[name]:
            wrong.append(f"{name} has other content")
    if not wanted:
        wrong.append("there is no file to verify")
    return wrong


def _there(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {SIGNATURE}


def _is_hidden(name: str) -> bool:
    """Files that a hub or a download adds, such as .gitattributes."""
    return any(part.startswith(".") for part in name.split("/"))


def _signed(path: Path, public_key: Path | None, identity: str | None, issuer: str | None) -> dict[str, str]:
    """sha256 by path, as signed. Raises SignatureRefused."""
    verifier, read = _verifier(public_key, identity, issuer)
    try:
        manifest: Manifest = verifier.verify(read(path))
        found = {one.identifier: one.digest for one in manifest.resource_descriptors()}
    except Exception as error:
        if public_key and (other := _other_signer(path, public_key)):
            raise SignatureRefused(
                f"it is signed by {other}, and not by the key in {public_key.name}",
                safe="Nothing was changed.",
                remedy="Check with the publisher which key is right",
            ) from error
        raise SignatureRefused(
            f"the signature is not valid: {_words(error)}",
            safe="Nothing was changed.",
            remedy="Check the public key (or identity and issuer) with the publisher",
        ) from error
    return {name: digest.digest_hex for name, digest in found.items() if digest.algorithm == "sha256"}


def _verifier(
    public_key: Path | None, identity: str | None, issuer: str | None
) -> tuple[_Verifier, Callable[[Path], object]]:
    """The library's verifier and how it reads signatures.

    Its public ``Config.verify`` requires every signed file; the parts under it verify what was fetched.
    """
    if public_key is not None:
        from model_signing._signing import sign_ec_key, sign_sigstore_pb

        return _with_key(
            public_key, lambda: sign_ec_key.Verifier(public_key)
        ), sign_sigstore_pb.Signature.read
    from model_signing._signing import sign_sigstore

    verifier = _told(
        "Sigstore's trusted root cannot be fetched",
        lambda: sign_sigstore.Verifier(identity=identity or "", oidc_issuer=issuer or ""),
        "Check the network, then run again",
    )
    return verifier, sign_sigstore.Signature.read


def _hashing(folder: Path) -> object:
    hashing = _library("hashing")
    config = hashing.Config().use_file_serialization(hashing_algorithm="sha256", allow_symlinks=False)
    # Only the signature itself is skipped: a file that git would ignore counts too.
    return config.set_ignored_paths(paths=[folder / SIGNATURE], ignore_git_paths=False)


def _public_of(key: Path) -> bytes:
    from cryptography.hazmat.primitives import serialization

    private = _with_key(key, lambda: serialization.load_pem_private_key(key.read_bytes(), None))
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def is_by_another(folder: Path, key: Path) -> bool:
    """Whether there is a signature, and it names another key than this private one, or an identity.

    It may be of other files. Raises InputError if the key cannot be used.
    """
    path = folder / SIGNATURE
    return path.is_file() and _named_key(path) != hashlib.sha256(_public_of(key)).hexdigest()


def _named_key(path: Path) -> str | None:
    """The digest of the public key that a signature names; None if it names an identity, or cannot be read."""
    try:
        return shaped(jsontext.read(path), _Bundle)["verificationMaterial"].get("publicKey", {}).get("hint")
    except (ValueError, WrongShape):
        return None


def _other_signer(path: Path, public_key: Path) -> str:
    """The key that a signature names, if that is another one; "" otherwise."""
    from cryptography.hazmat.primitives import serialization

    named = _named_key(path)
    key = _with_key(public_key, lambda: serialization.load_pem_public_key(public_key.read_bytes()))
    own = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"key {named[:16]}" if named and named != hashlib.sha256(own).hexdigest() else ""


def refuse_unable(key: Path | None) -> None:
    """Raises what would stop ``sign`` whatever the files are: InputError for a key, or a job, that cannot sign,
    MissingExtra without the library."""
    _library("signing")
    if key is None:
        _require_identity()
    else:
        _public_of(key)


def _is_signed_by(folder: Path, key: Path) -> bool:
    """Whether the existing signature is from this private key and covers these files."""
    public = _public_of(key)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "key.pub"
        path.write_bytes(public)
        try:
            verify(folder, public_key=path, complete=True)
        except SignatureRefused:
            return False
    return True


def _key_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _require_identity() -> None:
    """Without this the library would open a browser and wait for a person. Raises InputError."""
    from id import detect_credential

    token = _told(
        "this job cannot be identified",
        lambda: detect_credential("sigstore"),
        "Set permissions: id-token: write",
    )
    if token is None:
        raise InputError(
            "there is no identity to sign with",
            remedy="Run in a CI job with an identity token (GitHub: permissions: id-token: write), or use --key FILE",
        )


def _with_key(path: Path, use: Callable[[], Found]) -> Found:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return use()
    except OSError as error:
        raise InputError(
            f"the key cannot be read ({error.strerror})", where=path.name, remedy="Name the file of the key"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The file is not quoted: it may be a secret.
        why = (
            "it is encrypted"
            if "encrypted" in str(error) or "assword" in str(error)
            else "it is a different kind of key"
        )
        raise InputError(
            f"this key cannot be used: {why}",
            where=path.name,
            remedy="Make one with: openssl ecparam -name prime256v1 -genkey -noout -out zoo.key",
        ) from error


def _told(what: str, use: Callable[[], Found], remedy: str) -> Found:
    """The library's errors, which are of many kinds, as one of ours."""
    try:
        return use()
    except ZooError:
        raise
    except Exception as error:
        raise ZooError(f"{what}: {_words(error)}", safe="Nothing was changed.", remedy=remedy) from error


def _words(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return line or type(error).__name__


@functools.cache
def _library(name: str) -> ModuleType:
    return extras.load(f"model_signing.{name}")
