"""The hub's token exchange and GitHub's identity service before a real server that requires tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zoo.hub.server import HubServer
from zoo.hub.server.wire import ApiError, as_json

IDENTITY = "identity-of-this-job"


class Exchange:
    """tokens: by repository. asked: repositories for which a token was wanted. used: tokens that came with requests."""

    def __init__(self, server: HubServer, tokens: Mapping[str, str]) -> None:
        self.inner, self.asked, self.used = server.answer, list[str](), set[str]()
        self.tokens, self.lifetime = tokens, 3600.0

    def __call__(self, request: Any) -> Any:
        match request.method, request.segments:
            case "GET", ["identity"]:
                assert request.headers["Authorization"] == "Bearer request-token"
                return as_json({"value": f"{IDENTITY} for {request.one('audience')}"})
            case "POST", ["oauth", "token"]:
                form = json.loads(request.body(1 << 16))
                self.asked.append(form["resource"])
                if not form["subject_token"].startswith(IDENTITY) or form["resource"] not in self.tokens:
                    raise ApiError(400, "invalid_grant")
                return as_json({"access_token": self.tokens[form["resource"]], "expires_in": self.lifetime})
        header = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.used |= {header}
        return self.inner(request)


def in_github(address: str) -> dict[str, str]:
    """Variables of a job that has ``id-token: write``."""
    return {
        "GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/identity",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
    }  # fmt: skip
