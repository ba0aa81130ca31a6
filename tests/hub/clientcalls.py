"""Calls of the official client, one by one, against the hub that HF_ENDPOINT names; prints what came of each as JSON.

Run in a process of its own, because the client reads its settings once, and because its version is chosen there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub as hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
)
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

warnings.simplefilter("ignore")
API, M, D, TMP = HfApi(), "local/m", "local/d", Path(tempfile.mkdtemp())
BIG = os.urandom(1 << 21)
CARD = "---\nlicense: apache-2.0\npipeline_tag: text-generation\nlibrary_name: gguf\ntags: [tutor]\nlanguage: en\n"
CARD += "---\n# M\n"
CALLS: dict[str, Callable[[], Any]] = {}
BY_DESIGN, NO_SUCH = "by design: ", "this client has no such call"


def call(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(function: Callable[[], Any]) -> Callable[[], Any]:
        assert name not in CALLS, name
        CALLS[name] = function
        return function

    return keep


def row(name: str, ask: Callable[[], Any], right: Callable[[Any], object] = lambda _: True) -> None:
    """A call that must work, and what is right about its answer."""

    def run() -> None:
        found = ask()
        assert right(found), f"not right: {found!r}"[:300]

    call(name)(run)


def refused(name: str, ask: Callable[[], Any]) -> None:
    """A call that this hub refuses by design, with a sentence."""
    call(BY_DESIGN + name)(ask)


def fails(kind: type[Exception], ask: Callable[[], Any], status: int = 0) -> bool:
    try:
        ask()
    except kind as error:
        return not status or getattr(error, "response", None).status_code == status  # type: ignore[union-attr]
    return False


def command(*words: str) -> str:
    program = "from huggingface_hub.cli.hf import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env={**os.environ, "COLUMNS": "250"}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def folder() -> Path:
    made = TMP / "up"
    (made / "sub").mkdir(parents=True, exist_ok=True)
    (made / "README.md").write_text(CARD)
    (made / "sub" / "b.txt").write_text("b")
    (made / "big.gguf").write_bytes(BIG)
    return made


def head() -> str:
    return str(API.model_info(M).sha)


def slug() -> str:
    return next(iter(API.list_collections(owner="local"))).slug


def item() -> str:
    return API.get_collection(slug()).items[0].item_object_id


def commit(*operations: Any, **more: Any) -> Any:
    return API.create_commit(M, [*operations], commit_message="c", **more)


# Who, and making repositories
row("whoami", API.whoami, lambda found: found["name"])
row("create_repo", lambda: API.create_repo(M), lambda url: url.endswith("/local/m"))
row("create_repo(exist_ok)", lambda: API.create_repo(M, exist_ok=True))
row("create_repo twice: 409", lambda: fails(HfHubHTTPError, lambda: API.create_repo(M), 409), bool)
row("create_repo(dataset)", lambda: API.create_repo(D, repo_type="dataset"))
row("create_repo(private=False)", lambda: API.create_repo("local/open", private=False))
row("delete_repo without tags", lambda: API.delete_repo("local/open"))
row("delete_repo(missing_ok)", lambda: API.delete_repo("local/open", missing_ok=True))
row("repo_exists", lambda: (API.repo_exists(M), API.repo_exists("local/no")),
    lambda found: found == (True, False))  # fmt: skip
row("auth_check", lambda: API.auth_check(M))
row("auth_check of none", lambda: fails(RepositoryNotFoundError, lambda: API.auth_check("local/no")), bool)
# Writing
row("upload_folder", lambda: API.upload_folder(repo_id=M, folder_path=folder()))
row("upload_file", lambda: API.upload_file(path_or_fileobj=b"a", path_in_repo="a.txt", repo_id=M))
row("upload_file(dataset)", lambda: API.upload_file(
    path_or_fileobj=b'{"a": 1}\n', path_in_repo="train.jsonl", repo_id=D, repo_type="dataset"))  # fmt: skip
row("upload_large_folder", lambda: API.upload_large_folder(repo_id=M,
    repo_type="model", folder_path=folder()))  # fmt: skip
row("hf upload", lambda: command("upload", M, str(folder() / "README.md"), "copy.md"))
row("create_commit(parent)", lambda: commit(CommitOperationAdd("p", b"p"), parent_commit=head()))
row("create_commit: stale parent, 412", lambda: fails(
    HfHubHTTPError, lambda: commit(CommitOperationAdd("p", b"q"), parent_commit="0" * 40), 412), bool)  # fmt: skip
row("create_commit(delete)", lambda: commit(CommitOperationDelete("p")))
row("create_commit(copy)", lambda: commit(CommitOperationCopy("big.gguf", "twin.gguf")))
row("create_commit(revision=refs/heads/main)", lambda: commit(CommitOperationAdd("q",
    b"q"), revision="refs/heads/main"))  # fmt: skip
row("delete_file", lambda: API.delete_file("twin.gguf", M))
row("delete_files", lambda: API.delete_files(M, ["q"]))
row("upload_file to a folder", lambda: API.upload_file(path_or_fileobj=b"z", path_in_repo="z/z", repo_id=M))
row("delete_folder", lambda: API.delete_folder("z", M))
row("preupload_lfs_files", lambda: API.preupload_lfs_files(M, [CommitOperationAdd("x", BIG)]))
row("create_tag", lambda: API.create_tag(M, tag="v1.0.0"))
row("create_tag twice: 409", lambda: fails(HfHubHTTPError,
    lambda: API.create_tag(M, tag="v1.0.0"), 409), bool)  # fmt: skip
row("create_tag(exist_ok)", lambda: API.create_tag(M, tag="v1.0.0", exist_ok=True))
row("create_tag with a slash", lambda: API.create_tag(M, tag="trial/one"))
row("create_branch", lambda: API.create_branch(M, branch="side"))
row("create_branch with a slash", lambda: API.create_branch(M, branch="side/two"))
row("create_commit(revision=branch)", lambda: commit(CommitOperationAdd("s", b"s"), revision="side"))
row("delete_branch", lambda: API.delete_branch(M, branch="side/two"))
# Reading
row("model_info", lambda: API.model_info(M), lambda i: i.sha and i.id == M and i.author == "local")
row("model_info().card_data", lambda: API.model_info(M).card_data, lambda card: card.license == "apache-2.0")
row("model_info().tags", lambda: API.model_info(M).tags,
    lambda t: {"tutor", "gguf", "en", "license:apache-2.0"} <= {*t})  # fmt: skip
row("model_info().pipeline_tag", lambda: API.model_info(M).pipeline_tag,
    lambda task: task == "text-generation")  # fmt: skip
row("model_info(expand)", lambda: API.model_info(M, expand=["cardData", "tags", "sha", "library_name"]),
    lambda i: i.card_data.license == "apache-2.0" and i.library_name == "gguf" and i.siblings is None)  # fmt: skip
row("model_info(files_metadata)", lambda: API.model_info(M, files_metadata=True).siblings,
    lambda s: all(f.size for f in s))  # fmt: skip
row("model_info(revision=tag)", lambda: API.model_info(M, revision="v1.0.0"), lambda i: len(i.sha) == 40)
row("model_info(revision=short commit)", lambda: API.model_info(M, revision=head()[:7]).sha,
    lambda sha: sha == head())  # fmt: skip
row("model_info(revision=refs/heads/main)", lambda: API.model_info(M, revision="refs/heads/main").sha,
    lambda s: s == head())  # fmt: skip
row("model_info(revision=tag with a slash)", lambda: API.model_info(M, revision="trial/one").sha)
row("dataset_info", lambda: API.dataset_info(D), lambda i: i.id == D)
row("dataset_info(expand)", lambda: API.dataset_info(D, expand=["sha", "tags"]), lambda i: i.sha)
row("repo_info", lambda: API.repo_info(D, repo_type="dataset"), lambda i: i.id == D)
row("list_models", lambda: [m.id for m in API.list_models()], lambda ids: ids == [M])
row("list_models(author, search)", lambda: [*API.list_models(author="local", search="m")],
    lambda found: len(found) == 1)  # fmt: skip
row("list_models(filter)", lambda: [[*API.list_models(filter=f)] for f in ("tutor", "none")],
    lambda f: [*map(len, f)] == [1, 0])  # fmt: skip
row("list_models(pipeline_tag)", lambda: [*API.list_models(pipeline_tag="text-generation")],
    lambda f: len(f) == 1)  # fmt: skip
row("list_models(full, cardData)", lambda: [*API.list_models(full=True, cardData=True)],
    lambda f: f[0].siblings and f[0].card_data)  # fmt: skip
row("list_models(sort, limit)", lambda: [*API.list_models(sort="last_modified", limit=1)],
    lambda f: len(f) == 1)  # fmt: skip
row("list_models(expand)", lambda: [*API.list_models(expand=["sha"])], lambda f: f[0].sha)
row("list_datasets", lambda: [d.id for d in API.list_datasets()], lambda ids: ids == [D])
row("hf models ls", lambda: command("models", "ls"), lambda said: M in said)
row("hf datasets ls", lambda: command("datasets", "ls"), lambda said: D in said)
row("hf models info", lambda: command("models", "info", M), lambda said: "apache-2.0" in said)
row("list_spaces", lambda: [*API.list_spaces()], lambda found: found == [])
row("list_collections", lambda: [*API.list_collections()], lambda found: found == [])
row("list_repo_files", lambda: API.list_repo_files(M),
    lambda f: {"README.md", "big.gguf", "sub/b.txt"} <= {*f})  # fmt: skip
row("list_repo_tree", lambda: [*API.list_repo_tree(M)], lambda f: {"sub", "a.txt"} <= {e.path for e in f})
row("list_repo_tree(recursive)", lambda: [*API.list_repo_tree(M, recursive=True)],
    lambda f: "sub/b.txt" in {e.path for e in f})  # fmt: skip
row("list_repo_tree(expand)", lambda: [*API.list_repo_tree(M, expand=True)],
    lambda f: any(e.last_commit for e in f))  # fmt: skip
row("list_repo_tree(folder)", lambda: [*API.list_repo_tree(M, "sub")],
    lambda f: [e.path for e in f] == ["sub/b.txt"])  # fmt: skip
row("get_paths_info", lambda: API.get_paths_info(M, ["a.txt", "none"]),
    lambda f: [e.path for e in f] == ["a.txt"])  # fmt: skip
row("list_repo_refs", lambda: API.list_repo_refs(M),
    lambda r: {t.name for t in r.tags} == {"v1.0.0", "trial/one"})  # fmt: skip
row("hf repos tag list", lambda: command("repos", "tag", "list", M), lambda said: "v1.0.0" in said)
row("list_repo_commits", lambda: API.list_repo_commits(M), lambda found: len(found) > 3)
row("list_lfs_files", lambda: [*API.list_lfs_files(M)], lambda f: "big.gguf" in {e.filename for e in f})
row("get_repo_discussions", lambda: [*API.get_repo_discussions(M)], lambda found: found == [])
row("revision_exists", lambda: [API.revision_exists(M, r) for r in ("v1.0.0", "v9")],
    lambda f: f == [True, False])  # fmt: skip
row("file_exists", lambda: [API.file_exists(M, p) for p in ("a.txt", "none")], lambda f: f == [True, False])
row("get_hf_file_metadata", lambda: API.get_hf_file_metadata(url=hub.hf_hub_url(M, "a.txt")),
    lambda f: f.size == 1)  # fmt: skip
row("hf_hub_download", lambda: Path(API.hf_hub_download(M, "big.gguf")).read_bytes(), lambda raw: raw == BIG)
row("hf_hub_download(revision=refs/heads/main)", lambda: API.hf_hub_download(M,
    "a.txt", revision="refs/heads/main"))  # fmt: skip
row("snapshot_download", lambda: API.snapshot_download(M),
    lambda path: (Path(path) / "sub" / "b.txt").is_file())  # fmt: skip
row("snapshot_download(patterns)", lambda: API.snapshot_download(M,
    allow_patterns=["*.txt"], local_dir=TMP / "some"))  # fmt: skip
row("snapshot_download(dataset)", lambda: API.snapshot_download(D, repo_type="dataset"))
row("snapshot_download(local_files_only)", lambda: hub.snapshot_download(M, local_files_only=True))
row("hf download", lambda: command("download", M, "a.txt", "--local-dir", str(TMP / "down")))
row("verify_repo_checksums", lambda: API.verify_repo_checksums(M), lambda found: not found.mismatches)
row("hf cache verify", lambda: command("cache", "verify", M))
row("HfFileSystem.ls", lambda: HfFileSystem().ls(M, detail=False), lambda found: f"{M}/a.txt" in found)
row("HfFileSystem.glob", lambda: HfFileSystem().glob(f"{M}/**/*.txt"),
    lambda found: f"{M}/sub/b.txt" in found)  # fmt: skip
row("HfFileSystem.open, a part", lambda: HfFileSystem().open(f"{M}/big.gguf").read(9),
    lambda raw: raw == BIG[:9])  # fmt: skip
row("HfFileSystem.du", lambda: HfFileSystem().du(M), lambda found: found > len(BIG))
row("HfFileSystem at refs/heads/main", lambda: HfFileSystem().ls(f"{M}@refs%2Fheads%2Fmain", detail=False))
row("ModelCard.load", lambda: hub.ModelCard.load(M), lambda card: card.data.license == "apache-2.0")
row("ModelCard.validate", lambda: hub.ModelCard(CARD).validate())
row("create_commit: card of broken YAML", lambda: fails(
    ValueError, lambda: commit(CommitOperationAdd("README.md", b"---\nlicense: [\n---\n"))), bool)  # fmt: skip
row("ModelCard.push_to_hub", lambda: hub.ModelCard(CARD + "more\n").push_to_hub(M))
row("metadata_update", lambda: hub.metadata_update(M, {"license": "mit"}, overwrite=True))
row("update_repo_settings(private=False)", lambda: API.update_repo_settings(M, private=False))
# What this hub refuses
row("create_repo(private=True)", lambda: API.create_repo("local/secret", private=True))
refused("create_repo(space)", lambda: API.create_repo("local/s", repo_type="space", space_sdk="static"))
row("update_repo_settings(private=True)", lambda: API.update_repo_settings(M, private=True))
refused("update_repo_settings(gated)", lambda: API.update_repo_settings(M, gated="auto"))
row("delete_tag of a trial", lambda: API.delete_tag(M, tag="trial/one"),
    lambda _: "trial/one" not in [one.name for one in API.list_repo_refs(M).tags])  # fmt: skip
refused("delete_tag of a version", lambda: API.delete_tag(M, tag="v1.0.0"))
refused("delete_branch(main)", lambda: API.delete_branch(M, branch="main"))
refused("delete_repo with tags", lambda: API.delete_repo(M))
refused("move_repo", lambda: API.move_repo(M, "local/other"))
refused("super_squash_history", lambda: API.super_squash_history(M))
refused("permanently_delete_lfs_files", lambda: API.permanently_delete_lfs_files(M, [*API.list_lfs_files(M)]))
refused("create_discussion", lambda: API.create_discussion(M, "t"))
refused("create_pull_request", lambda: API.create_pull_request(M, "t"))
refused("create_commit(create_pr)", lambda: commit(CommitOperationAdd("r", b"r"), create_pr=True))
row("create_collection", lambda: API.create_collection("t", namespace="local"), lambda made: made.slug)
row("create_collection(exists_ok)", lambda: API.create_collection("t", namespace="local", exists_ok=True))
row("add_collection_item", lambda: API.add_collection_item(slug(), M, "model", note="n"),
    lambda found: found.items[0].note == "n")  # fmt: skip
row("update_collection_item", lambda: API.update_collection_item(slug(), item(), note="m", position=0))
row("get_collection", lambda: API.get_collection(slug()), lambda found: found.items[0].note == "m")
row("update_collection_metadata", lambda: API.update_collection_metadata(slug(), title="u"),
    lambda found: found.title == "u")  # fmt: skip
row("delete_collection_item", lambda: API.delete_collection_item(slug(), item()))
row("delete_collection", lambda: API.delete_collection(slug()))
refused("list_models(num_parameters)", lambda: [*API.list_models(num_parameters="min:1B")])
refused("revision refs/convert/parquet", lambda: API.dataset_info(D, revision="refs/convert/parquet"))


_MISSING = ("'HfApi' object has no attribute", "unexpected keyword argument", "No such command")


def outcome(ask: Callable[[], Any]) -> str:
    """``pass``, or what went wrong."""
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - whatever a call raises is what came of it
        said = str(getattr(error, "server_message", None) or error)
        if any(words in said for words in _MISSING):
            return NO_SUCH
        return f"{type(error).__name__}: {said}"[:400]
    return "pass"


if __name__ == "__main__":
    found = {name: outcome(ask) for name, ask in CALLS.items()}
    Path(sys.argv[1]).write_text(json.dumps({"version": hub.__version__, "calls": found}))
