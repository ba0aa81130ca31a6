"""Every command with no extra and with each extra alone, where nothing else can be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bareinstall
import pytest

from zoo import extras


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bareinstall.Released]:
    with bareinstall.released(tmp_path_factory.mktemp("released") / "zoo") as made:
        yield made


@pytest.mark.parametrize("extra", ["", *bareinstall.EXTRAS])
def test_every_command_with_one_extra(extra: str, released: bareinstall.Released, tmp_path: Path) -> None:
    hidden = bareinstall.refused(extra)
    assert "pytest" in hidden["modules"] and "click" not in hidden["modules"]
    asked = list(bareinstall.calls(tmp_path / "fresh", released, extra))
    found = bareinstall.run(sys.executable, tmp_path, asked, bareinstall.environment(), hidden)
    bareinstall.judge(found["answers"], asked, extra)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    found = bareinstall.run(sys.executable, tmp_path, [], bareinstall.environment())
    bareinstall.judge(found["answers"], [], "")
    names = {one.name for brought in extras.table().values() for one in brought}
    optional = {extras.MODULES.get(name, name.replace("-", "_")) for name in names}
    assert "numpy" in optional and "huggingface_hub" in optional
    heavy = sorted(optional & set(found["imported"]))
    assert not heavy, f"--help imports {heavy}: load them with extras.load inside the function that needs them"


def test_the_list_of_commands_needs_little(tmp_path: Path) -> None:
    """``zoo --help`` is used most often: it starts without these, which cost more than everything it needs."""
    code = "import sys; from zoo.__main__ import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    dear = {"yaml", "jsonschema", "rich", "importlib.metadata", "email.message", "subprocess", "ctypes", "packaging"}
    assert "zoo.cli" in loaded
    assert not dear & loaded, (
        f"zoo --help imports {sorted(dear & loaded)}: import it in the function that needs it, or in the command"
    )


def test_no_command_waits_for_grammars_of_formats_that_it_does_not_use() -> None:
    """Where their packages are installed, jsonschema compiles them when it is imported: 1.2 s of every command."""
    code = "import sys, zoo.flow; assert not {'jsonschema', 'rfc3987_syntax', 'numpy'} & set(sys.modules), sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-300:]
