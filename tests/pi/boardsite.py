"""A small published site for a board: a catalog, and the files of its release, with right digests."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME, VERSION = "smollm2-135m-instruct", "1.0.0"
TYPES = ("Q8_0", "Q4_K_M")


def write(folder: Path, size: int = 300_000, weights: Path | None = None) -> Path:
    """The site's folder: the repository's own catalog, its files replaced by ``size`` and more random bytes.

    weights: a file of this model, which is then the only one of the release.
    """
    data = json.loads((ROOT / "model_catalog.json").read_text(encoding="utf-8"))
    model = next(one for one in data["models"] if one["name"] == NAME)
    release = next(one for one in model["releases"] if one["version"] == VERSION)
    release["files"] = [one for one in release["files"] if one["type"] in (TYPES[1:] if weights else TYPES)]
    files = folder / "download" / NAME / VERSION
    files.mkdir(parents=True)
    listed = []
    for number, one in enumerate(release["files"]):
        content = weights.read_bytes() if weights else b"GGUF" + random.Random(number).randbytes(size + number)
        one["size_bytes"], one["sha256"], one["memory"] = len(content), hashlib.sha256(content).hexdigest(), []
        one["path"] = f"{NAME}-{one['type']}.gguf"
        (files / one["path"]).write_bytes(content)
        listed.append({"path": one["path"], "size_bytes": len(content), "sha256": one["sha256"]})
    manifest = json.dumps({"files": listed}).encode()
    (files / "MANIFEST.json").write_bytes(manifest)
    release["location"]["model"]["manifest_sha256"] = hashlib.sha256(manifest).hexdigest()
    data["models"] = [model]
    (folder / "catalog.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pi_runtime", *arguments]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PI_ZOO")}
    return {**kept, "PI_ZOO_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def pi_zoo(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person runs it."""
    return subprocess.run(
        command(*arguments),
        cwd=home.parent,
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
