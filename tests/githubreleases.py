"""The release part of GitHub's API, as a small server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import githubapi


class Releases(githubapi.Api):
    """Releases of the repository o/r. names: the files without which it publishes nothing. torn_at: the request whose
    file is cut."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self.names = sorted(names)
        self.releases: list[dict[str, Any]] = []
        self.contents: dict[int, bytes] = {}
        self.torn_at = 0

    def act(self, method: str, path: str, raw: bytes) -> tuple[int, Any]:
        parts = urlsplit(path).path.removeprefix("/repos/o/r/").split("/")
        match method, parts:
            case "GET", ["releases"]:
                return 200, self.releases
            case "POST", ["releases"]:
                number = len(self.releases) + 1
                made = {
                    **json.loads(raw),
                    "id": number,
                    "assets": [],
                    "html_url": f"https://github.com/{number}",
                }
                made["upload_url"] = f"{self.address}/repos/o/r/releases/{number}/assets{{?name,label}}"
                self.releases.append(made)
                return 201, made
            case "POST", ["releases", number, "assets"]:
                release = self.releases[int(number) - 1]
                (name,) = parse_qs(urlsplit(path).query)["name"]
                if not release["draft"] or any(one["name"] == name for one in release["assets"]):
                    return 422, {"message": "already_exists"}
                key = len(self.contents) + 1
                self.contents[key] = raw
                state = "starter" if self.count == self.torn_at else "uploaded"
                sha256 = hashlib.sha256(raw).hexdigest()
                asset = {
                    "id": key,
                    "name": name,
                    "size": len(raw),
                    "state": state,
                    "digest": f"sha256:{sha256}",
                }
                release["assets"].append(asset)
                return 201, asset
            case "DELETE", ["releases", "assets", key]:
                for release in self.releases:
                    release["assets"] = [one for one in release["assets"] if one["id"] != int(key)]
                return 204, None
            case "PATCH", ["releases", number]:
                assets = self.releases[int(number) - 1]["assets"]
                if sorted(one["name"] for one in assets if one["state"] == "uploaded") != self.names:
                    return 422, {"message": "published before every file is there"}
                self.releases[int(number) - 1] |= json.loads(raw)
                return 200, self.releases[int(number) - 1]
        return 404, {"message": "not found"}


def environment(github: Releases, tag: str) -> dict[str, str]:
    """Variables of a job that releases this tag."""
    return {
        "GITHUB_API_URL": github.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": githubapi.TOKEN,
        "GITHUB_REF_NAME": tag,
    }  # fmt: skip
