"""The Debian package and its unit, as Debian's own tools judge them. Without these tools they are skipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from llamaserver import compiled, compiling
from piservers import ROOT, packaged, packaging

import pi_runtime
from pi_runtime import checking
from pi_runtime.__main__ import COMMANDS

UNIT = ROOT / "pi_runtime/units/pi-zoo@.service"


def needs(tool: str) -> Any:
    """Skips without a tool of Debian; make pi-checkers installs it where it can."""
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed: make pi-checkers")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled programs, or none: the rest of the package is the same."""
    return compiled("amd64") or tmp_path_factory.mktemp("no-programs")


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Path:
    return packaged("amd64", programs, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory, deb: Path) -> Path:
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    return root


@needs("dpkg-deb")
def test_two_builds_have_the_same_bytes(tmp_path: Path, deb: Path, programs: Path) -> None:
    """In another folder, with another umask and time zone."""
    before = os.umask(0o077)
    try:
        again = packaging.build("amd64", tmp_path / "elsewhere", programs)
    finally:
        os.umask(before)
    assert again.read_bytes() == deb.read_bytes()


@needs("lintian")
def test_lintian_has_nothing_to_say(deb: Path) -> None:
    line = ["lintian", "--no-cfg", "--allow-root", "--info", "--pedantic", "--display-info", deb]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@needs("lintian")
def test_lintian_would_say_it(tmp_path: Path, unpacked: Path) -> None:
    """A package whose manual page is missing is found, so the silence above means something."""
    root = tmp_path / "root"
    shutil.copytree(unpacked, root)
    (root / "usr/share/man/man1/pi-zoo.1.gz").unlink()
    (root / "DEBIAN").mkdir()
    control = (ROOT / "pi_runtime/debian/control").read_text(encoding="utf-8")
    control = control.replace("@VERSION@", "1.0").replace("@ARCHITECTURE@", "amd64").replace("@SIZE@", "1")
    (root / "DEBIAN/control").write_text(control, encoding="utf-8")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", root, tmp_path / "a.deb"], check=True, capture_output=True
    )
    done = subprocess.run(
        ["lintian", "--no-cfg", "--allow-root", tmp_path / "a.deb"], capture_output=True, text=True
    )
    assert "no-manual-page" in done.stdout


@needs("systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path, unpacked: Path) -> None:
    """With its manual pages; the program's path is the only thing that is changed for it."""
    text = UNIT.read_text(encoding="utf-8").replace(
        "/usr/lib/pi-zoo-runtime", f"{unpacked}/usr/lib/pi-zoo-runtime"
    )
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    line = ["systemd-analyze", "verify", "--man=yes", str(tmp_path / "pi-zoo@smollm2-135m.service")]
    shutil.copyfile(tmp_path / UNIT.name, tmp_path / "pi-zoo@smollm2-135m.service")
    world = {**os.environ, "MANPATH": str(unpacked / "usr/share/man")}
    done = subprocess.run(line, capture_output=True, text=True, env=world, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs("systemd-analyze")
def test_the_unit_exposes_little() -> None:
    line = ["systemd-analyze", "security", "--offline=true", "--threshold=12", "--no-pager", str(UNIT)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert done.returncode == 0 and float(level) <= 1.2


def test_the_unit_fails_closed() -> None:
    from pi_runtime import launch

    text = UNIT.read_text(encoding="utf-8")
    codes = {launch.WRONG_FILE, launch.NO_FILE, launch.BAD_CONFIGURATION}
    (line,) = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.M)
    assert set(map(int, line.split())) == codes == {65, 66, 78}
    for setting in (
        "WorkingDirectory=/",
        "KillMode=mixed",
        "MemorySwapMax=0",
        "IPAddressDeny=any",
        "DynamicUser=yes",
    ):
        assert f"\n{setting}\n" in text
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.M)
    assert int(seconds) > launch.STOP_SECONDS


@needs("dpkg-deb")
def test_the_command_runs_from_its_private_folder(unpacked: Path, tmp_path: Path) -> None:
    """Nothing but Debian's Python: no package of this environment, no module of the current folder."""
    script = (unpacked / "usr/bin/pi-zoo").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/python3 -IB\n")
    moved = script.replace('"/usr/lib', f'"{unpacked}/usr/lib')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = ["/usr/bin/python3", "-IB", "-c", moved, *arguments]
        return subprocess.run(
            line, capture_output=True, text=True, env={"PI_ZOO_HOME": str(tmp_path)}, cwd=tmp_path
        )

    version = run("--version")
    assert version.returncode == 0 and pi_runtime.VERSION in version.stdout, version.stderr
    looked = run("doctor", "--json")
    findings = json.loads(looked.stdout)["findings"]
    bad = [one["text"] for one in findings if one["state"] == checking.BAD]
    # Only what this package was built without may be missing: where llama.cpp was not compiled, its server.
    assert all("llama-server is not installed" in text for text in bad), findings
    assert looked.returncode == bool(bad) and any("profile" in one["text"] for one in findings), looked.stderr
    assert not list(unpacked.rglob("__pycache__"))


@needs("dpkg-deb")
@pytest.mark.parametrize("script", packaging.SCRIPTS)
def test_the_scripts_are_valid_shell(script: str) -> None:
    subprocess.run(["sh", "-n", ROOT / "pi_runtime/debian" / script], check=True)


@pytest.mark.parametrize("begun", ["", "re"])
def test_the_completion_knows_every_command(begun: str) -> None:
    text = (ROOT / "pi_runtime/debian/completion.bash").read_text(encoding="utf-8")
    code = f"{text}\nCOMP_WORDS=(pi-zoo '{begun}'); COMP_CWORD=1; _pi_zoo; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    words = {"--help", "--version", *COMMANDS}
    assert set(done.stdout.split()) == {word for word in words if word.startswith(begun)}


def test_the_manual_describes_every_command() -> None:
    text = (ROOT / "pi_runtime/debian/man/pi-zoo.1").read_text(encoding="utf-8")
    assert re.findall(r"^\.TP\n\.B (\w+)$", text.partition(".SH COMMANDS")[2], re.M) == list(COMMANDS)


@pytest.mark.parametrize(
    "page", sorted((ROOT / "pi_runtime/debian/man").iterdir()), ids=lambda page: page.name
)
def test_manual_pages_are_well_formed(page: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    line = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env={**os.environ, "MANROFFSEQ": ""}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "-".join(page.stem.split("-")) in page.read_text(encoding="utf-8").partition(".SH SYNOPSIS")[0]


def test_the_changelog_has_the_source_that_is_compiled() -> None:
    text = (ROOT / "pi_runtime/debian/changelog").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert compiling.VERSION in text and packaging.version() == project["version"]
