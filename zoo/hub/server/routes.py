"""Which address does what, and which role it needs."""

from __future__ import annotations

from urllib.parse import quote

from zoo.hub.folder import FolderRepo
from zoo.hub.interface import BRANCH
from zoo.hub.server import files, manifests, multipart, views, writes
from zoo.hub.server.access import Access, Signer
from zoo.hub.server.store import Store, commit_of, head_of
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

PAGE = 1000
NO_XET = "this-hub-has-no-xet-storage/for-hf-upload-set/HF_HUB_DISABLE_XET=1"
"""Where a client is sent if it asks for xet storage, which this server does not have.

The official client uses xet for every upload if hf_xet can be imported, whatever the hub answers before, and has no
other way. It does not show the text of our answer, only the address.
"""

_KINDS = {"models": "model", "datasets": "dataset"}


class Routes:
    """The whole API over one store. Raises ApiError and ZooError."""

    def __init__(self, store: Store, access: Access) -> None:
        self.store, self.access = store, access
        self.signer = Signer()
        self.parts_above, self.part_bytes = multipart.MULTIPART_BYTES, multipart.PART_BYTES

    def __call__(self, request: Request) -> Answer:
        match request.method, request.segments:
            case "PUT", ["lfs", oid]:
                return writes.lfs_put(self.store, self.signer, oid, request)
            case "PUT", ["lfs", oid, number, begin]:
                return multipart.put_part(self.store, self.signer, oid, number, begin, request)
            case "POST", ["lfs", oid, "complete"]:
                return multipart.complete(self.store, self.signer, oid, request)
            case _, ["api", "whoami-v2"]:
                return self._whoami(request)
            case "GET", ["api", _, _, _, segment, _] if segment.startswith("xet-"):
                return Answer(307, headers={"Location": f"{request.base}/{NO_XET}"})
        self.access.require(_role(request), request.headers.get("Authorization", ""))
        match request.method, request.segments:
            case "POST", ["api", "validate-yaml"]:
                request.body(1 << 20)
                # zoo check already checks cards; the server has nothing to add.
                return as_json({"errors": [], "warnings": []})
            case "GET", ["v2", namespace, name, "manifests", tag]:
                repo = self.store.repo("model", namespace, name)
                return as_json(manifests.manifest(repo, tag))
            case "POST", ["api", "repos", "create"]:
                return writes.create(self.store, request)
            case method, ["api", ("models" | "datasets") as kinds, namespace, name, *rest]:
                repo = self.store.repo(_KINDS[kinds], namespace, name)
                identity = f"{namespace}/{name}"
                if method == "GET":
                    return self._read(_KINDS[kinds], identity, repo, rest, request)
                return self._change(identity, repo, rest, request)
            case method, ["datasets", namespace, name, *rest]:
                return self._files("dataset", namespace, name, rest, request)
            case method, [namespace, name, *rest] if namespace != "api":
                return self._files("model", namespace, name, rest, request)
        raise _no_such()

    def _files(self, kind: str, namespace: str, name: str, rest: list[str], request: Request) -> Answer:
        match request.method, rest:
            case "GET", ["resolve", revision, *path]:
                repo = self.store.repo(kind, namespace, name)
                return files.resolve(self.store, repo, revision, "/".join(path), request)
            case "POST", ["info", "lfs", "objects", ("batch" | "verify") as verb] if name.endswith(".git"):
                self.store.repo(kind, namespace, name.removesuffix(".git"))
                if verb == "verify":
                    return writes.lfs_verify(self.store, request)
                prefix = "datasets/" if kind == "dataset" else ""
                repository = f"{prefix}{quote(namespace)}/{quote(name)}"
                return writes.lfs_batch(
                    self.store, self.signer, repository, request, self.parts_above, self.part_bytes
                )
        raise _no_such()

    def _read(self, kind: str, identity: str, repo: FolderRepo, rest: list[str], request: Request) -> Answer:
        match rest:
            case [] | ["revision", _]:
                oid = commit_of(repo, rest[1]) if rest else head_of(repo)
                there = repo.tree(oid) if oid else {}
                return as_json(views.info(kind, identity, repo, oid, there, bool(request.one("blobs"))))
            case ["tree", revision, *path]:
                return _tree(repo, revision, "/".join(path).strip("/"), request)
            case ["refs"]:
                return as_json(views.refs(repo))
            case ["commits", revision]:
                return as_json(views.commits(repo, commit_of(repo, revision)))
        raise _no_such()

    def _change(self, identity: str, repo: FolderRepo, rest: list[str], request: Request) -> Answer:
        match request.method, rest:
            case "POST", ["paths-info", revision]:
                form = request.form()
                there = repo.tree(commit_of(repo, revision))
                return as_json(views.paths_info(there, form.get("paths", [])))
            case "POST", ["preupload", revision]:
                if revision != BRANCH:
                    commit_of(repo, revision)
                return writes.preupload(self.store, repo, request)
            case "POST", ["commit", revision]:
                return writes.commit(self.store, repo, identity, revision, request)
            case "POST", ["tag", revision]:
                return writes.tag(repo, revision, request)
            case "POST", ["branch", name]:
                return writes.begin(repo, name, request)
            case "DELETE", ["branch", name]:
                return writes.end(repo, name)
            case "DELETE", ["tag", _]:
                raise ApiError(403, "tags are never removed here; published versions stay")
        raise _no_such()

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
    return "read" if reads or request.segments == ["api", "validate-yaml"] else "write"


def _no_such() -> ApiError:
    return ApiError(404, "there is nothing here")


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
