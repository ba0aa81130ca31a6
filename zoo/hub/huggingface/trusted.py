"""Trusted publishers: a CI job's identity instead of a long-lived token.

See https://huggingface.co/docs/hub/trusted-publishers. The variable HF_OIDC_RESOURCE turns it on, as in the official
client, which then has a token for that one repository. A release has two, so a token is requested for each repository
here. Tokens stay in memory and expire after an hour.
"""

from __future__ import annotations

import os
import threading
import time

from zoo.errors import InputError, ZooError

SWITCH, ID_TOKEN = "HF_OIDC_RESOURCE", "HF_OIDC_ID_TOKEN"
MARGIN_SECONDS = 300.0
"""A token that expires sooner than this is requested again."""


class Tokens:
    """Tokens that hubs gave for this job's identity, each until shortly before it ends. Safe to share by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[str, float]] = {}

    def token_for(self, address: str, kind: str, identity: str) -> str | None:
        """A token that may write to one repository; None if trusted publishing is off.

        Raises InputError if this job has no identity, ZooError if the hub does not accept it.
        """
        if not os.environ.get(SWITCH):
            return None
        resource = identity if kind == "model" else f"{kind}s/{identity}"
        with self._lock:
            token, ends = self._known.get((address, resource), ("", 0.0))
            if time.monotonic() >= ends - MARGIN_SECONDS:
                token, seconds = _exchange(address, resource)
                self._known[address, resource] = (token, time.monotonic() + seconds)
        return token

    def given_out(self) -> tuple[str, ...]:
        """Every token that was received here."""
        return tuple(token for token, _ in list(self._known.values()))


OF_THIS_JOB = Tokens()
"""The tokens that this process requested. It has one identity, and no message about any hub may show any of its
tokens."""


def _exchange(address: str, resource: str) -> tuple[str, float]:
    try:
        # It has no public name; the module exists since 1.19.
        from huggingface_hub._oidc import oidc_login
        from huggingface_hub.errors import HfHubHTTPError, OIDCError
    except ImportError:
        raise InputError(
            f"{SWITCH} is set, but this version of the Hub client does not support trusted publishers",
            remedy="Install a newer one: pip install 'huggingface-hub>=1.29,<2.5'",
        ) from None
    try:
        answer = oidc_login(
            resource=resource, subject_token=os.environ.get(ID_TOKEN) or None, endpoint=address
        )
        return str(answer["access_token"]), float(answer.get("expires_in", 3600))
    except OIDCError:
        raise InputError(
            f"{SWITCH} is set, but this job has no identity token",
            remedy=f"Give the job `permissions: id-token: write` (GitHub), or set {ID_TOKEN}, or unset {SWITCH}",
        ) from None
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code >= 500:
            raise
        # The hub's answer is vague on purpose, and the request contained a secret.
        raise ZooError(
            f"{address} does not accept this job's identity for {resource}",
            safe="Nothing was changed.",
            remedy=f"In the settings of {resource} on the hub, add a trusted publisher with this job's claims",
        ) from None
