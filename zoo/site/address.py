"""Where the site will be published: by the setting, or by what GitHub Actions says of the repository. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.choose.commands import is_address
from zoo.settings import Settings

PROGRAM = "model-zoo-publisher"


def published(settings: Settings, environment: Mapping[str, str]) -> str:
    """The address of the site, ending in a slash; empty if it is not known.

    The setting ``site_url`` decides. Without it, a job of GitHub Actions publishes at the address that GitHub Pages
    gives its repository (docs.github.com, "About GitHub Pages": ``https://OWNER.github.io/REPOSITORY/``; the
    repository ``OWNER.github.io`` is at the root). A domain of one's own has to be set.
    """
    if settings.site_url:
        return settings.site_url
    if environment.get("GITHUB_ACTIONS") != "true":
        return ""
    if environment.get("GITHUB_SERVER_URL", "https://github.com") != "https://github.com":
        return ""
    owner, _, repository = environment.get("GITHUB_REPOSITORY", "").lower().partition("/")
    if not owner or not repository:
        return ""
    host = f"{owner}.github.io"
    return f"https://{host}/" if repository == host else f"https://{host}/{repository}/"


def program(settings: Settings, environment: Mapping[str, str]) -> str:
    """Where pip finds this program: ``git+https://...``; empty if it is not known.

    The setting ``program`` decides. Without it, a job of GitHub Actions in the program's own repository takes
    that one's address.
    """
    if settings.program:
        return f"git+{settings.program}"
    repository = environment.get("GITHUB_REPOSITORY", "")
    own = repository.partition("/")[2] == PROGRAM and environment.get("GITHUB_ACTIONS") == "true"
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    return f"git+{server}/{repository}" if own and is_address(f"{server}/{repository}") else ""
