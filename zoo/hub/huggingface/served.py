"""One HEAD request for a file, and what a hub says of an upstream model, through the official client."""

from __future__ import annotations

import re
from typing import Any

from zoo.errors import InputError
from zoo.hub.fileinfo import ABSENT_COMMIT, ABSENT_FILE, Served
from zoo.hub.huggingface.client import client, plain
from zoo.hub.huggingface.repo import HuggingFaceRepo
from zoo.hub.huggingface.session import READ_SECONDS
from zoo.upstream import Described

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")


def head(repo: HuggingFaceRepo, revision: str, path: str) -> Served:
    """What is served as ``path`` at ``revision``. Raises ZooError when the hub cannot be asked."""
    with plain(repo.address, repo.identity):
        from huggingface_hub import hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

        url = hf_hub_url(repo.identity, path, repo_type=repo.kind, revision=revision, endpoint=repo.address)
        try:
            found = client(repo.address).get_hf_file_metadata(url=url, timeout=READ_SECONDS)
        except EntryNotFoundError:
            return Served(ABSENT_FILE)
        except (RevisionNotFoundError, RepositoryNotFoundError):
            return Served(ABSENT_COMMIT)
    etag = found.etag or ""
    return Served(
        None,
        found.size,
        etag if _SHA256.match(etag) else None,
        etag if _SHA1.match(etag) else None,
    )


def upstream(repository: str, revision: str | None, address: str) -> Described:
    """How the hub at ``address`` describes a model. Raises InputError if it, or the revision, is not there any more.

    Raises ZooError when it cannot be asked.
    """
    with plain(address, repository):
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = client(address).model_info(repository, revision=revision, timeout=READ_SECONDS)
        except RevisionNotFoundError:
            raise InputError(f"{repository} has no commit {revision} any more") from None
        except RepositoryNotFoundError:
            raise InputError(f"{repository} is not there any more, or not public any more") from None
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
