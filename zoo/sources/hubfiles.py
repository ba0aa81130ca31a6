"""Which files of a hub's repository a source uses: one set of weights with what belongs to it, or one GGUF file."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from catalog.jsonvalues import table, text
from zoo.errors import ModelFileError, SourceError
from zoo.hub import Listed
from zoo.hub.download import Origin, Patience, fetch_files
from zoo.hub.huggingface import HuggingFaceRepo
from zoo.modelfolder.files import INDEX, SINGLE, is_used
from zoo.modelfolder.smallfiles import read_json
from zoo.modelfolder.weights import named
from zoo.progress import Reporter

SMALL_BYTES = 16 << 20
"""A file without a sha256 in the hub's tree is read once to be pinned; such files are small, weights have one."""


def only(file: str, tree: Mapping[str, Listed], where: str) -> dict[str, Listed]:
    """The one file of a source that names it. Raises SourceError with the nearest names if it is not there."""
    if file in tree:
        return {file: tree[file]}
    others = sorted(path for path in tree if path.endswith(".gguf"))
    near = difflib.get_close_matches(file, others, 3, 0.4) or others[:10]
    raise SourceError(
        f"{where} has no file {file}", safe="Nothing was downloaded.",
        remedy=f"Its GGUF files: {', '.join(near)}" if near else "It has no GGUF file; name another repository",
    )  # fmt: skip


def wanted(
    hub: HuggingFaceRepo,
    repo: str,
    commit: str,
    tree: Mapping[str, Listed],
    patience: Patience,
    report: Reporter,
) -> dict[str, Listed]:
    """The files of the root that the import reads: one set of weights, configuration, tokenizer, licence texts.

    Never pickles, code, or second copies in subfolders. Raises SourceError for a repository without weights, or
    with two sets of them.
    """
    where = f"hf:{repo}@{commit}"
    shards = _shards(hub, commit, tree, where, patience, report)
    absent = sorted(shards - set(tree))
    if absent:
        raise SourceError(
            f"{INDEX} of {where} names missing files: {named(absent)}", safe="Nothing was downloaded.",
            remedy="Name a revision that is complete",
        )  # fmt: skip
    gguf = sorted(path for path in tree if path.endswith(".gguf"))
    if not shards and SINGLE not in tree and gguf:
        raise SourceError(
            f"{where} has GGUF files ({named(gguf)}) but no safetensors at its root",
            safe="Nothing was downloaded.",
            remedy=f"Name one of the files: hf:{repo}/{gguf[0]}@{commit}. Or name the repository that they were made "
            "from",
        )  # fmt: skip
    if not shards and SINGLE not in tree:
        raise SourceError(
            f"{where} has neither {SINGLE} nor {INDEX} at its root, and safetensors files in subfolders are not used "
            "as weights",
            safe="Nothing was downloaded.", remedy="Name a revision or a repository that has them",
        )  # fmt: skip
    if shards and SINGLE in tree and SINGLE not in shards:
        raise SourceError(
            f"{where} has two sets of weights: {SINGLE}, and {named(sorted(shards))} of {INDEX}",
            safe="Nothing was downloaded.",
            remedy="Name a revision with one set, or fetch the repository into the zoo's folder, delete the set you "
            "do not need, and name the folder with file:",
        )  # fmt: skip
    weights = shards or {SINGLE}
    return {
        path: file
        for path, file in sorted(tree.items())
        if path in weights or (is_used(path) and not path.endswith(".safetensors"))
    }


def _shards(
    hub: HuggingFaceRepo,
    commit: str,
    tree: Mapping[str, Listed],
    where: str,
    patience: Patience,
    report: Reporter,
) -> set[str]:
    """The weight files that the index names; empty without an index. Raises SourceError for an invalid one."""
    if INDEX not in tree or tree[INDEX].size_bytes > SMALL_BYTES:
        return set()
    with tempfile.TemporaryDirectory(prefix="zoo-index-") as name:
        fetch_files(Origin(hub, commit, where), [tree[INDEX]], Path(name), report, patience)
        try:
            return {text(file) for file in table(read_json(Path(name) / INDEX, INDEX)["weight_map"]).values()}
        except ModelFileError as error:
            raise SourceError(
                error.what, where=f"{where}: {INDEX}", remedy="Name another revision"
            ) from error
