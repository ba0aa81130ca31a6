"""The release of a tag on GitHub: a draft, every file attached, then published. Run again, it resumes.

    python3 scripts/githubrelease.py FOLDER...     publishes the files of these folders, and their SHA256SUMS

A published release may refuse later files, so it is published last, when GitHub lists every file with its size. Files
that are complete are not sent again. It uses only the standard library: the job that runs it installs nothing.
Variables: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_REF_NAME, GITHUB_TOKEN.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60
MOST_PAGES = 20


class Refused(Exception):
    """The release cannot be made; the text says why and what to do."""


class Api:
    """The release part of GitHub's API."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        self.base, self.token = f"{address.rstrip('/')}/repos/{repository}", token

    def call(
        self, method: str, address: str, data: bytes | None = None, kind: str = "application/json"
    ) -> Any:
        """The answer as JSON; None if it is empty. Raises Refused."""
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": kind,
            "X-GitHub-Api-Version": "2022-11-28",
        }
        address = address if "://" in address else f"{self.base}{address}"
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                text = answer.read()
        except (OSError, urllib.error.URLError) as error:
            path = urllib.parse.urlsplit(address).path
            raise Refused(f"{method} {path} failed: {error}. Run the job again: it resumes.") from error
        return json.loads(text) if text else None

    def release(self, tag: str) -> dict[str, Any] | None:
        """The release of a tag, also a draft. Raises Refused if there are several."""
        found = []
        for page in range(1, MOST_PAGES + 1):
            some = self.call("GET", f"/releases?per_page=100&page={page}")
            found += [one for one in some if one["tag_name"] == tag]
            if len(some) < 100:
                break
        if len(found) > 1:
            raise Refused(f"there are {len(found)} releases of {tag}. Delete all but one on GitHub.")
        return found[0] if found else None


def publish(api: Api, tag: str, files: dict[str, bytes]) -> str:
    """Publish ``files`` by name. Returns the address of the release. Raises Refused."""
    release = api.release(tag)
    if release is None:
        body = {"tag_name": tag, "name": tag, "draft": True, "prerelease": "-" in tag}
        release = api.call("POST", "/releases", json.dumps(body).encode())
    missing = [name for name in files if not _complete(release, name, files[name])]
    if not release["draft"]:
        if missing:
            raise Refused(
                f"{tag} is published without {', '.join(missing)}, and does not change. Make a higher version."
            )
        return str(release["html_url"])
    foreign = sorted({one["name"] for one in release["assets"]} - files.keys())
    if foreign:
        raise Refused(
            f"the draft has files that nobody built here: {', '.join(foreign)}. Delete them on GitHub."
        )
    for name in missing:
        for asset in release["assets"]:
            if asset["name"] == name:
                api.call("DELETE", f"/releases/assets/{asset['id']}")
        upload = release["upload_url"].partition("{")[0] + f"?name={urllib.parse.quote(name)}"
        api.call("POST", upload, files[name], "application/octet-stream")
    release = api.release(tag)
    if release is None or any(not _complete(release, name, raw) for name, raw in files.items()):
        raise Refused("GitHub does not list every file that was sent. Run the job again: it resumes.")
    done = api.call("PATCH", f"/releases/{release['id']}", json.dumps({"draft": False}).encode())
    return str(done["html_url"])


def _complete(release: dict[str, Any], name: str, raw: bytes) -> bool:
    for asset in release["assets"]:
        if asset["name"] == name and asset["state"] == "uploaded" and asset["size"] == len(raw):
            return asset.get("digest") in (None, f"sha256:{hashlib.sha256(raw).hexdigest()}")
    return False


def collected(folders: list[str]) -> dict[str, bytes]:
    """Every file of the folders by name, and SHA256SUMS of them. Raises Refused."""
    files: dict[str, bytes] = {}
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()):
        if path.is_symlink() or path.name in files:
            raise Refused(f"{path} is a link, or its name is there twice")
        files[path.name] = path.read_bytes()
    if not files:
        raise Refused(f"there are no files in {', '.join(folders) or 'no folder'}")
    sums = "".join(f"{hashlib.sha256(raw).hexdigest()}  {name}\n" for name, raw in sorted(files.items()))
    return {**files, "SHA256SUMS": sums.encode()}


def main(folders: list[str]) -> int:
    try:
        names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_REF_NAME")
        if absent := [name for name in names if not os.environ.get(name)]:
            raise Refused(f"{', '.join(absent)} is not set. This runs in a job of GitHub Actions.")
        address, repository, token, tag = (os.environ[name] for name in names)
        print(publish(Api(address, repository, token), tag, collected(folders)))
    except Refused as error:
        print(f"githubrelease: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
