"""What a hub says about an upstream model, through the official client."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import InputError
from zoo.hub.huggingface.client import plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.session import READ_SECONDS
from zoo.hub.interface import Described


def upstream(repository: str, revision: str | None, address: str) -> Described:
    """How the hub at ``address`` describes a model. Raises InputError if it, or the revision, no longer exists.

    Raises ZooError if the hub does not answer.
    """
    door = Door(address, named=True)  # HF_ENDPOINT, or the hub of the official login
    with plain(door, repository):
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = door.api().model_info(repository, revision=revision, timeout=READ_SECONDS)
        except RevisionNotFoundError:
            raise InputError(f"{repository} no longer has commit {revision}") from None
        except RepositoryNotFoundError:
            raise InputError(f"{repository} no longer exists or is no longer public") from None
    card: Mapping[str, object] = vars(info.card_data) if info.card_data else {}
    licence, name = card.get("license"), card.get("license_name")
    gated = info.gated if info.gated in ("auto", "manual") else "no"
    return Described(
        " AND ".join(map(str, licence)) if isinstance(licence, list) else _text(licence), _text(name), gated
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def default_address() -> str:
    """Where ``hf:`` sources come from: HF_ENDPOINT, or the Hugging Face Hub."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT).rstrip("/")
