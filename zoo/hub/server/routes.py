"""Which address does what, and which role it needs."""

from __future__ import annotations

import functools
from typing import NotRequired, TypedDict
from urllib.parse import quote

from zoo.hub.folder import FolderRepo
from zoo.hub.interface import BRANCH
from zoo.hub.server import (
    cards,
    collecting,
    files,
    lists,
    manifests,
    multipart,
    pages,
    repositories,
    restoring,
    views,
    writes,
)
from zoo.hub.server.access import Access, Signer
from zoo.hub.server.lists import PAGE, PLURALS
from zoo.hub.server.store import Store, branch_of, commit_of
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

NO_XET = "this-hub-has-no-xet-storage/for-hf-upload-set/HF_HUB_DISABLE_XET=1"
"""Where a client is sent if it asks for xet storage, which this server does not have.

The official client uses xet for every upload if hf_xet can be imported, whatever the hub answers before, and has no
other way. It does not show the text of our answer, only the address.
"""

class Routes:
    """The whole API over one store. Raises ApiError and ZooError."""

    def __init__(self, store: Store, access: Access) -> None:
        self.store, self.access = store, access
        self.signer = Signer()
        self.parts_above, self.part_bytes = multipart.MULTIPART_BYTES, multipart.PART_BYTES

    def __call__(self, request: Request) -> Answer:
        try:
            return self._answer(request)
        except ApiError as error:
            if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
                return pages.refused(error)
            raise

    def _answer(self, request: Request) -> Answer:
        match request.method, request.segments:
            case "PUT", ["lfs", oid]:
                return writes.lfs_put(self.store, self.signer, oid, request)
            case "PUT", ["lfs", oid, number, begin]:
                return multipart.put_part(self.store, self.signer, oid, number, begin, request)
            case "POST", ["lfs", oid, "complete"]:
                return multipart.complete(self.store, self.signer, oid, request)
            case _, ["api", "whoami-v2"]:
                return self._whoami(request)
            case "POST", ["api", "validate-yaml"]:
                # The client sends no token with it.
                return _validate(request)
            case "GET", ["api", _, _, _, segment, _] if segment.startswith("xet-"):
                return Answer(307, headers={"Location": f"{request.base}/{NO_XET}"})
        self.access.require(_role(request), request.headers.get("Authorization", ""))
        match request.method, request.segments:
            case "GET", ["v2", namespace, name, "manifests", tag]:
                repo = self.store.repo("model", namespace, name)
                return as_json(manifests.manifest(repo, tag))
            case "POST", ["api", "repos", "create"]:
                return writes.create(self.store, request)
            case "DELETE", ["api", "repos", "delete"]:
                return repositories.delete(self.store, request)
            case "GET", ["api", ("models" | "datasets") as kinds]:
                return lists.answer(self.store, kinds, request)
            case "GET", ["api", "spaces"]:
                return as_json([])
            case method, ["api", "collections", *rest]:
                return collecting.answer(self.store, method, rest, request)
            case "PUT", ["api", ("models" | "datasets") as kinds, namespace, name, "settings"]:
                find = functools.partial(self.store.repo, PLURALS[kinds], namespace, name)
                return repositories.settings(self.store, find, request)
            case method, ["api", ("models" | "datasets") as kinds, namespace, name, *rest]:
                repo = self.store.repo(PLURALS[kinds], namespace, name)
                identity = f"{namespace}/{name}"
                if method == "GET":
                    return self._read(PLURALS[kinds], identity, repo, rest, request)
                return self._change(identity, repo, rest, request)
            case _, ["api", *rest]:
                raise _no_such(rest)
            case "GET", [""] | [_]:
                return self._front(request)
            case method, ["datasets", namespace, name, *rest]:
                return self._files("dataset", namespace, name, rest, request)
            case method, [namespace, name, *rest]:
                return self._files("model", namespace, name, rest, request)
        raise _no_such()

    def _front(self, request: Request) -> Answer:
        owner = request.segments[0]
        found = [*lists.everything(self.store, "model"), *lists.everything(self.store, "dataset")]
        if owner and not any(one.identity.startswith(f"{owner}/") for one in found):
            raise _no_such()
        return pages.front(found, request.base, request.one("search")[:200], owner)

    def _files(self, kind: str, namespace: str, name: str, rest: list[str], request: Request) -> Answer:
        match request.method, rest:
            case "GET", [] | ["tree" | "blob" | "commit", _, *_]:
                repo = self.store.repo(kind, namespace, name)
                revision = rest[1] if rest else BRANCH
                oid = commit_of(repo, revision) if rest else None
                about = views.about(self.store, kind, f"{namespace}/{name}", repo, oid)
                return pages.repository(about, repo, request.base, revision)
            case "GET", ["resolve", revision, *path]:
                repo = self.store.repo(kind, namespace, name)
                return files.resolve(self.store, repo, revision, "/".join(path), request)
            case "POST", ["info", "lfs", "objects", ("batch" | "verify") as verb] if name.endswith(".git"):
                self.store.repo(kind, namespace, name.removesuffix(".git"))
                if verb == "verify":
                    return writes.lfs_verify(self.store, request)
                return writes.lfs_batch(self.store, self.signer, request, self.parts_above, self.part_bytes)
        raise _no_such()

    def _read(self, kind: str, identity: str, repo: FolderRepo, rest: list[str], request: Request) -> Answer:
        match rest:
            case [] | ["revision", _]:
                oid = commit_of(repo, rest[1]) if rest else None
                about = views.about(self.store, kind, identity, repo, oid)
                found = views.expanded(about, request.query)
                return as_json(found or views.info(about, blobs=_yes(request, "blobs")))
            case ["auth-check"] | ["auth-check", "write"]:
                return as_json({})  # who gets here has the role
            case ["discussions"]:
                return as_json({"discussions": [], "count": 0, "start": 0})
            case ["lfs-files"]:
                return as_json(views.contents(views.about(self.store, kind, identity, repo)))
            case ["tree", revision, *path]:
                return _tree(repo, revision, "/".join(path).strip("/"), request)
            case ["refs"]:
                return as_json(views.refs(repo))
            case ["commits", revision]:
                return as_json(views.commits(repo, commit_of(repo, revision)))
        raise _no_such(rest)

    def _change(self, identity: str, repo: FolderRepo, rest: list[str], request: Request) -> Answer:
        match request.method, rest:
            case "POST", ["paths-info", revision]:
                form = request.form()
                there = repo.tree(commit_of(repo, revision))
                return as_json(views.paths_info(there, form.get("paths", [])))
            case "POST", ["preupload", revision]:
                if branch_of(repo, revision) is None:
                    commit_of(repo, revision)
                return writes.preupload(self.store, repo, request)
            case "POST", ["commit", revision]:
                return writes.commit(self.store, repo, identity, revision, request)
            case "POST", ["tag", revision]:
                return writes.tag(repo, revision, request)
            case "POST", ["restore", oid]:
                return restoring.commit(repo, oid, request)
            case "POST", ["branch", name]:
                return writes.begin(repo, name, request)
            case "DELETE", ["branch", name]:
                return writes.end(repo, name)
            case "DELETE", ["tag", name]:
                return writes.untag(repo, name)
        raise _no_such(rest)

    def _whoami(self, request: Request) -> Answer:
        header = request.headers.get("Authorization", "")
        if not header:
            raise ApiError(401, "Invalid username or password.")
        role = self.access.role(header)
        token = {"displayName": "zoo", "role": role}
        return as_json(
            {
                "type": "user",
                "id": "0" * 24,
                "name": "local",
                "fullname": "local",
                "orgs": [],
                "isPro": False,
                "auth": {"type": "access_token", "accessToken": token},
            }
        )


def _role(request: Request) -> str:
    reads = request.method == "GET" or "paths-info" in request.segments[4:5]
    return "read" if reads and request.segments[-2:] != ["auth-check", "write"] else "write"


def _no_such(rest: list[str] | None = None) -> ApiError:
    """The error for an address that nobody answers: by design, which is explained, or because it is wrong."""
    for word in rest or ():
        if word in repositories.BY_DESIGN:
            return ApiError(400, repositories.BY_DESIGN[word])
    return ApiError(404, "there is nothing here")


class _Checked(TypedDict):
    content: str
    repoType: NotRequired[str | None]


def _validate(request: Request) -> Answer:
    """Whether the metadata of a card can be read; 400 with the errors if not."""
    data = request.shaped(_Checked)
    errors, warnings = cards.judged(data["content"], "dataset" if data.get("repoType") == "dataset" else "model")
    said = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    return as_json(said, 400 if errors else 200)


def _tree(repo: FolderRepo, revision: str, folder: str, request: Request) -> Answer:
    """One page of a tree; the next one is named by the header Link."""
    oid = commit_of(repo, revision)
    found = views.entries(repo.tree(oid), folder, _yes(request, "recursive"))
    if folder and not found:
        raise ApiError(404, f"{folder[:200]} is not a folder of this revision", "EntryNotFound")
    if _yes(request, "expand"):
        last = views.last_commits(repo, oid)
        found = [{**item, "lastCommit": last.get(item["path"])} for item in found]
    limit = request.one("limit")
    size = min(int(limit), PAGE) if limit.isascii() and limit.isdigit() and 0 < len(limit) < 6 else PAGE
    rest = [item for item in found if item["path"] > request.one("cursor")]
    page = rest[: max(size, 1)]
    headers = {}
    if len(rest) > len(page):
        at = "/".join(quote(segment, safe="") for segment in request.segments)
        kept = "".join(f"&{name}={quote(request.one(name))}" for name in ("recursive", "expand", "limit"))
        cursor = quote(page[-1]["path"], safe="")
        headers["Link"] = f'<{request.base}/{at}?cursor={cursor}{kept}>; rel="next"'
    return as_json(page, headers=headers)


def _yes(request: Request, name: str) -> bool:
    return request.one(name).lower() in ("1", "true")
