"""Debian systems in folders: made by mmdebstrap, entered by chroot, booted by systemd-nspawn. Only root can."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("python3", "libgomp1", "libstdc++6")
"""What the package needs is installed before, so that a purge of it alone leaves what was there."""
BOOTED = ("systemd", "systemd-sysv")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
STATE = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "tmp", "run", "proc", "sys", "dev", "package.deb")
"""Where dpkg, apt and the system itself write; a purge is not about these."""


@contextmanager
def system(suite: str, architecture: str, folder: Path, packages: tuple[str, ...] = NEEDED) -> Iterator[Path]:
    """A fresh system from Debian's own archive, removed at the end. An emulated processor
    unpacks it in about ten minutes, this one in one."""
    line = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--architectures={architecture}",
            f"--include={','.join(packages)}", suite, str(folder)]  # fmt: skip
    subprocess.run(line, check=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def emulation() -> str | None:
    """Let the kernel run programs of Arm through qemu. What is missing for it, None if it works."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", str(BINFMT)], check=False, capture_output=True)
    if not (BINFMT / "register").exists():
        return f"{BINFMT} cannot be mounted here"
    if not (BINFMT / "qemu-aarch64").exists():
        for place in ("/usr/lib/binfmt.d/qemu-aarch64.conf", "/usr/share/qemu/binfmt.d/qemu-aarch64.conf"):
            if Path(place).is_file():
                (BINFMT / "register").write_text(Path(place).read_text(encoding="utf-8"), encoding="utf-8")
                return None
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=False, capture_output=True)
    return None if (BINFMT / "qemu-aarch64").exists() else "qemu-aarch64 cannot be registered in binfmt_misc"


def inside(root: Path, script: str, seconds: int = 1800) -> str:
    """Output of a shell script in the system. Raises AssertionError with its output.

    /proc is there for the script alone: the loader finds the folder of a program through it.
    """
    world = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -ec "$1"'
    line = ["unshare", "--mount", "/bin/sh", "-c", enter, str(root), script]
    done = subprocess.run(line, env=world, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=seconds)  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def listing(root: Path) -> set[str]:
    """Every path of the system that a package could leave behind."""
    found = set()
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root)
        folders[:] = [name for name in folders if Path(below, name).as_posix() not in STATE]
        found |= {Path(below, name).as_posix() for name in (*folders, *files)}
    return {path for path in found if path not in STATE and "__pycache__" not in path}


def boot(root: Path, seconds: int = 600) -> None:
    """Boot the system until it powers off, with loopback as its only network."""
    place = Path("/run/systemd/nspawn")
    place.mkdir(parents=True, exist_ok=True)
    mounted = not os.path.ismount(place)
    if mounted:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
    try:
        line = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--console=pipe",
                "-D", str(root), "-b"]  # fmt: skip
        world = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        done = subprocess.run(line, env=world, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)  # fmt: skip
        (root / "boot.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=False)
