"""What the page "Try it in the browser" needs: the engine, and files of a folder hub if requested.

The engine comes as npm packages, pinned with their digests. This module looks for the files of ``npm pack`` in the
zoo's ``build/npm`` and in ``npm`` of this Python's environment, and never downloads them. Without them the page shows
how to get them."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import access
from catalog.paths import unsafe_reason
from catalog.release import Release
from zoo.choose import pick
from zoo.errors import Damaged
from zoo.files.whole import place_file
from zoo.hub import FolderHub
from zoo.hub.located import hub_of_settings
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.site import content, state
from zoo.site.state import Part

PATH = "try/"
MEGA = 1_000_000


@dataclass(frozen=True)
class Package:
    """An npm package: integrity as npm shows it; members: path in the package -> path below ``try/engine/``."""

    name: str
    version: str
    integrity: str
    members: Mapping[str, str]

    @property
    def file(self) -> str:
        """The file name that ``npm pack`` uses."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


PACKAGES = (
    Package(
        "@wllama/wllama",
        "3.8.1",
        "sha512-Pl7BEJhPU8OHnV/yhn3DFZYhLLOdSHh+4TND79WCftHnlUAdQPAsyc/CfIOY+4mVxvf5VW3Xw3Uf7BBfotS1gw==",
        {
            "esm/index.js": "wllama/index.js",
            "esm/wasm/wllama.wasm": "wllama/wllama.wasm",
            "LICENCE": "wllama/LICENCE.txt",
        },
    ),
    Package(
        "@wllama/wllama-compat",
        "3.8.1",
        "sha512-IvmjrJ+JzDbt3w1FQq1yAmnFEiLGCceowK2Q80zW+k9ChFkPBM1ByX/9xm2xVxyd8MHC50VpuDo6SDE83k9kIQ==",
        {"wasm/wllama.js": "wllama-compat/wllama.js", "wasm/wllama.wasm": "wllama-compat/wllama.wasm"},
    ),
    Package(
        "@noble/hashes",
        "2.4.0",
        "sha512-X5XaVWZIBCT7HHZGm5I7ZQXDwLG+bGXuSrMQAW+7Zvl87h1kmc1ZB1VSRJcpUfoUrGQp4Fkoxm5kZ+Ms+aW+eA==",
        {
            **{name: f"noble-hashes/{name}" for name in ("sha2.js", "_md.js", "_u64.js", "utils.js")},
            "LICENSE": "noble-hashes/LICENSE.txt",
        },
    ),
)
"""wllama is llama.cpp as WebAssembly (MIT), its compat build is for browsers without 64-bit memory; noble-hashes (MIT)
computes a sha256 piece by piece, which browsers cannot."""

_NAMES = " ".join(f"{p.name}@{p.version}" for p in PACKAGES)
HOW = f"mkdir -p build/npm && npm pack {_NAMES} --pack-destination build/npm"
"""The command that gets the engine, in the zoo's folder."""


def build(
    settings: Settings,
    parts: Mapping[str, Part],
    old: Mapping[str, Part],
    new: Path,
    report: Reporter,
    most_megabytes: float,
) -> Part:
    """Put the engine and the wanted files into ``new``; returns one part. Raises Damaged for a wrong package.

    most_megabytes: how large files of the folder hub may be that are put into the site; 0 for none of them.
    """
    packages = _found(settings)
    wanted = list(_wanted(settings, parts, new, most_megabytes)) if most_megabytes else []
    key = hashlib.sha256(repr((packages, wanted, most_megabytes)).encode()).hexdigest()
    known = old.get("tryout")
    if known and state.take_over(known, key, settings.site.resolve(), new):
        return known
    paths = [*_engine(packages, new), *_files(wanted, new)]
    if wanted:
        report.say(
            f"{len(wanted)} files of the hub are part of the site; visitors can try them in the browser"
        )
    site = {
        "engine": {p.name: p.version for p in PACKAGES} if packages else None,
        "how": HOW,
        "files": [target.removeprefix(PATH) for target, _ in wanted],
    }
    place = new / PATH / "site.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_text(json.dumps(site) + "\n", encoding="utf-8")
    facts = state.facts_json({"most_megabytes": most_megabytes})
    return Part(key, state.stamps(new, [*paths, f"{PATH}site.json"]), facts_json=facts)


def most_megabytes(part: Part) -> float | None:
    """What ``build`` was given; None for a part of an older program."""
    found = part.facts.get("most_megabytes")
    return float(found) if isinstance(found, int | float) else None


# --- The engine


def _found(settings: Settings) -> list[Path]:
    """The packages' files; none unless all are there."""
    folders = (settings.root / "build" / "npm", Path(sys.prefix) / "npm")
    for folder in folders:
        files = [folder / package.file for package in PACKAGES]
        if all(file.is_file() for file in files):
            return files
    return []


def _engine(files: list[Path], new: Path) -> Iterator[str]:
    for package, file in zip(PACKAGES if files else (), files, strict=True):
        content = file.read_bytes()
        found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        if found != package.integrity:
            raise Damaged(
                f"{file.name} is not {package.name} {package.version}: its digest is {found}",
                where=str(file),
                safe="The existing site is unchanged",
                remedy=f"Delete it, or download it again: {HOW}",
            )
        with tarfile.open(file) as archive:
            for member, name in package.members.items():
                stream = archive.extractfile(f"package/{member}")
                assert stream, member
                target = new / PATH / "engine" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                target.write_bytes(stream.read())
                yield f"{PATH}engine/{name}"


# --- Files of the folder hub


def _wanted(
    settings: Settings, parts: Mapping[str, Part], new: Path, most_megabytes: float
) -> Iterator[tuple[str, Path]]:
    """(path on the site, file in the hub) of files that are small enough."""
    hub = hub_of_settings(settings)
    if not isinstance(hub, FolderHub):
        return
    for name in parts:
        kind, _, model = name.partition(" ")
        release = pick.current(content.model_of(new, model)) if kind == "model" else None
        # The files of a release that not everybody may read are not put on a site that everybody reads.
        if release and release.location.hub == "folder" and not access.is_closed(release.location):
            yield from _of_release(hub, model, release, most_megabytes * MEGA)


def _of_release(hub: FolderHub, name: str, release: Release, most_bytes: float) -> Iterator[tuple[str, Path]]:
    for file in release.files:
        source = hub.folder / "objects" / file.sha256[:2] / file.sha256
        safe = not unsafe_reason(file.path)
        if safe and file.size_bytes <= most_bytes and source.is_file():
            yield f"{PATH}files/{name}/{release.version}/{file.path}", source


def _files(wanted: list[tuple[str, Path]], new: Path) -> Iterator[str]:
    for path, source in wanted:
        place_file(source, new / path)
        yield path
