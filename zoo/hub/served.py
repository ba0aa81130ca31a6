"""Asking a hub for a file without having it sent: one HEAD request, or a look at a folder hub's tree."""

from __future__ import annotations

from zoo.errors import InputError, ZooError
from zoo.hub.fileinfo import ABSENT_COMMIT, ABSENT_FILE, Served
from zoo.hub.folder import FolderRepo
from zoo.hub.interface import Repo


def served(repo: Repo, revision: str, path: str) -> Served:
    """What ``repo`` serves as ``path`` at a commit. Raises ZooError when it cannot be asked."""
    if isinstance(repo, FolderRepo):
        return _in_folder(repo, revision, path)
    from zoo.hub.huggingface.repo import HuggingFaceRepo
    from zoo.hub.huggingface.served import head

    if isinstance(repo, HuggingFaceRepo):
        return head(repo, revision, path)
    raise ZooError("this hub cannot be asked for what it serves")


def _in_folder(repo: FolderRepo, revision: str, path: str) -> Served:
    try:
        file = repo.tree(revision).get(path)
    except InputError:
        return Served(ABSENT_COMMIT)
    if file is None:
        return Served(ABSENT_FILE)
    try:
        # The size of what lies there: an object that was cut off is found without reading it.
        size = repo._object(file.sha256).stat().st_size
    except FileNotFoundError:
        return Served(ABSENT_FILE)
    return Served(None, size, file.sha256)
