"""What the page "Try it in the browser" needs: the engine, and the list of files that the site carries.

The engine comes as npm packages, pinned with their digests. This module looks for the files of ``npm pack`` in the
zoo's ``build/npm`` and in ``npm`` of this Python's environment, and never downloads them. Without them the page shows
how to get them."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import Damaged
from zoo.settings import Settings
from zoo.site import content, state
from zoo.site.state import Part

PATH = "try/"


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


def has_engine(settings: Settings) -> bool:
    """Whether the engine is here, so that the page can run models."""
    return bool(_found(settings))


def build(settings: Settings, files: Collection[str], old: Mapping[str, Part], new: Path) -> Part:
    """Put the engine and ``try/site.json`` into ``new``; returns one part. Raises Damaged for a wrong package.

    files: what the site carries, by its address from the site's root.
    """
    packages = _found(settings)
    key = hashlib.sha256(repr((packages, sorted(files))).encode()).hexdigest()
    known = old.get("tryout")
    if known and state.take_over(known, key, settings.site.resolve(), new):
        return known
    paths = [*_engine(packages, new)]
    site = {
        "engine": {p.name: p.version for p in PACKAGES} if packages else None,
        "how": HOW,
        "files": sorted(files),
    }
    written = content.write_files(new, {f"{PATH}site.json": json.dumps(site) + "\n"})
    return Part(key, {**written, **state.stamps(new, paths)})


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
