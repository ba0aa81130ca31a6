"""Who built it: the URI that provenance names as its builder. Never a path or a name of this machine."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.addresses import refuse_secret

UNNAMED = "https://model-zoo-publisher.github.io/builders/unnamed"
"""An unknown machine."""


def builder_id(setting: str, environment: Mapping[str, str]) -> str:
    """The setting ``builder``; without it the workflow of a GitHub job, as SLSA names builders; else UNNAMED.

    Raises InputError for a server's address with a password, which would be published.
    """
    if setting:
        return setting
    workflow = environment.get("GITHUB_WORKFLOW_REF", "")
    if environment.get("GITHUB_ACTIONS") == "true" and workflow:
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        refuse_secret(server, "environment GITHUB_SERVER_URL")
        return f"{server}/{workflow}"
    return UNNAMED
