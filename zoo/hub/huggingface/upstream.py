"""What a hub says about an upstream model, through the official client."""

from __future__ import annotations

from typing import Any

from zoo.errors import InputError
from zoo.hub.huggingface.client import client, plain
from zoo.hub.huggingface.session import READ_SECONDS
from zoo.hub.interface import Described


def upstream(repository: str, revision: str | None, address: str) -> Described:
    """How the hub at ``address`` describes a model. Raises InputError if it, or the revision, no longer exists.

    Raises ZooError if the hub does not answer.
    """
    with plain(address, repository):
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = client(address).model_info(repository, revision=revision, timeout=READ_SECONDS)
        except RevisionNotFoundError:
            raise InputError(f"{repository} no longer has commit {revision}") from None
        except RepositoryNotFoundError:
            raise InputError(f"{repository} no longer exists or is no longer public") from None
    data: Any = info.card_data
    card: dict[str, Any] = data.to_dict() if data else {}
    licence = card.get("license")
    gated = info.gated if info.gated in ("auto", "manual") else "no"
    return Described(
        " AND ".join(licence) if isinstance(licence, list) else licence, card.get("license_name"), gated
    )


def default_address() -> str:
    """Where ``hf:`` sources come from: HF_ENDPOINT, or the Hugging Face Hub."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT).rstrip("/")
