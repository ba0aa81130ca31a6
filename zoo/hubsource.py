"""Model folders fetched from the Hugging Face Hub at a fixed commit, through the official client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import MissingExtra, SourceError
from zoo.progress import Reporter
from zoo.workspace import sha256_file

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.jinja", "LICENSE*")
"""What of a model repository is used: safetensors and the tokenizer; never pickles, never code."""


def fetch(repo: str, revision: str, files: Mapping[str, str] | None, cache: Path, report: Reporter) -> Path:
    """The folder with the files of ``repo`` at commit ``revision``; each is checked against its pin in ``files``.

    Raises SourceError when the hub cannot be reached or a file is not what its pin says.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra("the Hub client is not installed", "hub") from None
    target = cache / "hub" / repo.replace("/", "--") / revision
    report.say(f"fetching {repo} at {revision[:12]}")
    try:
        # The client lets the errors of its HTTP library through, and which library that is changes between versions.
        snapshot_download(repo, revision=revision, allow_patterns=list(WANTED), local_dir=target)
    except Exception as error:
        raise SourceError(
            f"hf:{repo}@{revision} cannot be fetched: {_first_line(error)}",
            safe="What was fetched so far is kept and will be used again.",
            remedy="Check the network and, for a gated model, HF_TOKEN; then run the same command again",
        ) from error
    for path, sha256 in sorted((files or {}).items()):
        if not (target / path).is_file():
            raise SourceError(f"hf:{repo}@{revision} has no file {path}, which the lock file pins")
        if sha256_file(target / path) != sha256:
            (target / path).unlink()
            raise SourceError(
                f"{path} of hf:{repo} is not what the lock file pins; it was removed", remedy="Run again"
            )
    return target


def resolve_revision(repo: str, revision: str | None) -> tuple[str, list[tuple[str, int, str]]]:
    """The commit that ``revision`` names now, and (path, bytes, sha256) of its large files. Raises SourceError."""
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra("the Hub client is not installed", "hub") from None
    api: HfApi = HfApi()
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=20)
    except Exception as error:
        raise SourceError(
            f"hf:{repo} cannot be reached: {_first_line(error)}", remedy="Check the network, then run again"
        ) from error
    files = [
        (s.rfilename, s.lfs.size, s.lfs.sha256)
        for s in info.siblings or []
        if s.lfs and s.rfilename.endswith(".safetensors")
    ]
    return str(info.sha), files


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
