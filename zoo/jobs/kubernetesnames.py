"""Names that Kubernetes or a registry of images would refuse, found out before any file names them. Pure.

The grammar of an image: https://pkg.go.dev/github.com/distribution/reference; names of objects:
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ (RFC 1123, subdomains).
"""

from __future__ import annotations

import re

MOST_CLAIM, MOST_IMAGE = 253, 255
"""Characters."""

_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOST = "[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = "sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
_IMAGE = re.compile(rf"(?P<name>{_NAME})(?::{_TAG})?(?:@(?:{_DIGEST}))?")


def claim_fault(name: str) -> str:
    """Why no volume claim can have this name; "" if one can."""
    if not _SUBDOMAIN.fullmatch(name):
        return "it may have small letters, digits, - and ., and begins and ends with a letter or a digit"
    return f"it is longer than {MOST_CLAIM} characters" if len(name) > MOST_CLAIM else ""


def image_fault(name: str) -> str:
    """Why this names no container image; "" if it does."""
    found = _IMAGE.fullmatch(name)
    if found is None:
        return "an image is HOST/NAME:TAG, with a name in small letters, or HOST/NAME@sha256:DIGEST"
    return f"its name is longer than {MOST_IMAGE} characters" if len(found["name"]) > MOST_IMAGE else ""


def mount_fault(path: str) -> str:
    """Why no volume can be mounted at this path; "" if one can."""
    return "it has a colon, which Kubernetes refuses in the path of a volume" if ":" in path else ""
