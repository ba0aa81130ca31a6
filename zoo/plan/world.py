"""The outside facts that enter keys: package versions, digests of the zoo's own files, threads. The IO that plan
needs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import metadata

from catalog.corpusfiles import FileFacts
from catalog.recipe import Recipe
from catalog.teacherweights import VLLM
from zoo.llama.convert import source
from zoo.llama.processor import teacher_device
from zoo.machine import processor
from zoo.plan.plan import World, own_files
from zoo.plan.store import Workspace
from zoo.settings import VLLM_PACKAGES, Settings
from zoo.sources.resolve import content_sha256
from zoo.stages.table import CONVERTER, every_tool

_NOTHING: Mapping[str, FileFacts] = {}


def look(
    recipe: Recipe,
    settings: Settings,
    read: Mapping[str, FileFacts] = _NOTHING,
    tools: Mapping[str, str] | None = None,
) -> World:
    """The world as it is now; missing files are omitted. read: files whose digest is already known. tools: what
    ``tool_versions`` has just found."""
    files = {}
    for name in own_files(recipe):
        path = settings.root / name
        if name in read:
            files[name] = read[name].sha256
        elif path.exists():
            files[name] = content_sha256(path, settings.root)
    work, here = Workspace(settings.work), processor.here()
    others = tuple(one for one in work.processors() if one != here)
    own = tool_versions() if tools is None else tools
    vllm = settings.vllm.version(VLLM_PACKAGES) if settings.vllm else ""
    return World(
        {**own, VLLM: vllm} if vllm else own, files, settings.threads, settings.device,
        (here, *others), lambda key: work.finished(key) is not None, teacher_device(settings.device),
        settings.processes, settings.sharding, settings.machines,
    )  # fmt: skip


def tool_versions() -> dict[str, str]:
    """Version of every package that enters a key; "absent" if it is not installed."""
    return {name: version(name) for name in sorted(every_tool())}


def version(name: str) -> str:
    """Installed version of a package, "absent" if it is not installed."""
    if name == CONVERTER:
        return source.version()
    return next((found.version for found in metadata.distributions(name=name, path=sys.path)), "absent")
