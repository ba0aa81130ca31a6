"""A folder of transformers weights into one GGUF file, through llama.cpp's own converter.

The converter (``source`` says where it comes from) has its own ``gguf`` package, so it has a separate folder and runs
as a separate process that sees that folder first. It has no network, and it sees the model folder under a neutral name,
because it writes the folder's name into the file.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from catalog import jsontext
from catalog.jsonvalues import table
from zoo import stopping
from zoo.errors import InputError, ModelFileError, ZooError
from zoo.gguf import sentencepieces
from zoo.gguf.header import read_header
from zoo.gguf.privacy import drop_local_paths
from zoo.llama.convert import failing, oldkeys, source, staging
from zoo.progress import Reporter, Silent, record

TYPES = ("f32", "f16", "bf16")
_PERCENT = re.compile(r"(\d+)%\|")
CODE = "auto_map"
"""The key of config.json and tokenizer_config.json that names code to run, possibly elsewhere on the disk."""
_LOGGED_LINES = 20
_KEPT = ("PATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("LC_", "OMP_", "MKL_", "ONEDNN_", "ATEN_")
"""What the converter's process gets of the environment: nothing of the user's, such as tokens or keys."""


def convert(
    model_folder: Path,
    target: Path,
    type_: str = "f16",
    *,
    name: str = "model",
    report: Reporter | None = None,
    vocabulary_only: bool = False,
) -> None:
    """Write ``target``, a GGUF of ``type_`` ("f32", "f16" or "bf16"), atomically.

    vocabulary_only: without tensors, so no weight is read. Such a file is not for releases.
    name: the model's name in the file (general.name). Neither it nor any other key depends on a local path, so
    the same folder content gives the same bytes.
    Raises InputError for an unknown type, GateRefused for a tokenizer that llama.cpp does not support or cannot read,
    ModelFileError if the folder is not a model or the result is invalid, ZooError with the converter's last line if it
    fails.
    """
    if type_ not in TYPES:
        raise InputError(f"{type_!r} is not a type that the converter writes", remedy=f"Use one of {', '.join(TYPES)}")
    if not (model_folder / "config.json").is_file():
        raise ModelFileError(f"{model_folder} is not a model folder: it has no config.json")
    folder = source.found()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        stage(model_folder, Path(scratch, "model"))
        made = Path(scratch, "out.gguf")
        script = str((folder / source.SCRIPT).resolve())
        driver = str(Path(__file__).with_name("converting.py"))
        command = [sys.executable, "-P", driver, script, "model", "--outtype", type_, "--outfile", made.name]
        command += ["--vocab-only"] if vocabulary_only else []
        _run([*command, "--model-name", name], folder, scratch, report or Silent(), model_folder)
        if not made.is_file():
            raise ZooError("llama.cpp's converter reported success but wrote no file")
        if not vocabulary_only:
            drop_local_paths(made)
            _check_clean(made, model_folder)
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        made.replace(target)


def stage(model_folder: Path, place: Path) -> None:
    """Links to the folder's files under a neutral name, config.json and tokenizer_config.json in the form that the
    converter reads (some of its classes read the files themselves), and a tokenizer.model if it needs one.

    The converter lets transformers run code that a folder names (``trust_remote_code``). So nothing here names any.
    """
    place.mkdir()
    for path in model_folder.resolve().iterdir():
        if path.name not in ("config.json", "tokenizer_config.json") and path.suffix != ".py":
            (place / path.name).symlink_to(path)
    config = table(jsontext.read(model_folder / "config.json", bounded=False, finite=False))
    config.pop(CODE, None)
    (place / "config.json").write_text(json.dumps(oldkeys.restored(config)), encoding="utf-8")
    words, own = model_folder / "tokenizer.json", model_folder / "tokenizer_config.json"
    tokenizer = table(jsontext.read(words, bounded=False)) if words.is_file() else {}
    said = table(jsontext.read(own, bounded=False)) if own.is_file() else {}
    said.pop(CODE, None)
    pieces = sentencepieces.of_tokenizer(tokenizer, _unknown(said))
    given = place / "tokenizer.model"
    if pieces is not None and (not given.exists() or sentencepieces.contradicts(given, tokenizer)):
        # If two files contradict each other, tokenizer.json counts, as in transformers.
        given.unlink(missing_ok=True)
        given.write_bytes(pieces.model())
    if tokenizer or said:
        said = staging.completed(said, tokenizer) if tokenizer else said
        said = staging.classed(said, tokenizer, config.get("model_type"), has_pieces=given.exists())
        (place / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")


def _unknown(config: Mapping[str, object]) -> str | None:
    """The unknown token that tokenizer_config.json names."""
    named = config.get("unk_token")
    text = named.get("content") if isinstance(named, dict) else named
    return text if isinstance(text, str) else None


def _check_clean(made: Path, model_folder: Path) -> None:
    for key, value in read_header(made).metadata.items():
        if isinstance(value, str) and str(model_folder.resolve()) in value:
            raise ModelFileError(f"the key {key} of the converted file names the local folder {model_folder}")


def environment(folder: Path, home: str) -> dict[str, str]:
    """Environment of a process that runs the converter in ``folder``: no secrets, no network, and another home."""
    kept = {
        key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)
    }
    shut = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HOME": home}
    return kept | shut | {"PYTHONPATH": str(folder.resolve()), "PYTHONDONTWRITEBYTECODE": "1"}


def _run(command: list[str], folder: Path, scratch: str, report: Reporter, model_folder: Path) -> None:
    tail: deque[str] = deque(maxlen=50)
    with (
        report.task("Converting to GGUF", 100.0, "%") as advance,
        stopping.start(
            command,
            cwd=scratch,
            env=environment(folder, scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        done = 0.0
        try:
            for line in _lines(process.stdout):
                percent = _PERCENT.search(line)
                if percent is None:
                    tail.append(line)
                elif float(percent[1]) > done:
                    advance(float(percent[1]) - done)
                    done = float(percent[1])
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        if code == 0:  # it may have reported no percentage at all
            advance(100.0 - done)
    if code != 0:
        record("converter_failed", code=code, lines=list(tail)[-_LOGGED_LINES:])
        raise failing.failure(tail, code, model_folder)


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    """Lines that end with a newline or, as progress bars do, with a carriage return."""
    rest = b""
    # The pipe of a process is buffered, so it has read1; the type IO does not declare it.
    while stream is not None and (piece := stream.read1(1 << 16)):  # type: ignore[attr-defined]  # IO has no read1
        *whole, rest = re.split(rb"[\r\n]", rest + piece)
        yield from (line.decode("utf-8", errors="replace") for line in whole)
    yield rest.decode("utf-8", errors="replace")
