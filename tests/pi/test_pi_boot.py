"""The packages in real Debian systems: installed, booted, and purged.

Only root can do this. Arm is emulated, so no figure is a speed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from chroots import BOOTED, NEEDED, boot, emulation, inside, listing, system
from piservers import configured, packaging, released
from tinygguf import make_tiny_gguf, smollm2

pytestmark = [
    pytest.mark.pi_boot,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes chroots"),
]

UNIT = """[Unit]
After=multi-user.target
[Service]
Type=idle
ExecStart=/bin/sh /bootcheck.sh
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


def put(root: Path, deb: Path) -> None:
    """The package as a file of the system, where all that it needs is installed already."""
    shutil.copyfile(deb, root / "package.deb")


INSTALL = "apt-get install -y --no-install-recommends /package.deb"


@pytest.mark.parametrize(("suite", "architecture"), [("bookworm", "arm64"), ("trixie", "amd64")])
def test_it_installs_and_a_purge_leaves_nothing(out: Path, tmp_path: Path, suite: str, architecture: str) -> None:
    if architecture == "arm64" and (missing := emulation()) is not None:
        pytest.skip(missing)
    with system(suite, architecture, tmp_path / "system") as root:
        before = listing(root)
        put(root, packaging.build(architecture, out))
        inside(root, INSTALL)
        assert "pi-zoo" in inside(root, "pi-zoo --version; command -v pi-zoo")
        for program in ("llama-server", "llama-bench"):
            inside(root, f"/usr/lib/pi-zoo-runtime/{program} --help >/dev/null")
        make_tiny_gguf(root / "srv/tiny.gguf")
        inside(root, "cd / && /usr/lib/pi-zoo-runtime/llama-quantize /srv/tiny.gguf /srv/small.gguf Q8_0 1")
        (root / "srv/tiny.gguf").unlink()
        (root / "srv/small.gguf").unlink()
        (root / "etc/pi-zoo/mine.json").write_text("{}", encoding="utf-8")
        (root / "var/lib/pi-zoo/models/mine").mkdir()
        inside(root, "dpkg --remove pi-zoo-runtime")
        assert (root / "etc/pi-zoo/mine.json").is_file(), "settings stay until a purge"
        inside(root, "dpkg --purge pi-zoo-runtime")
        assert listing(root) - before == set()


def prepared(root: Path) -> None:
    """A model, its service, and what watches it after the boot."""
    model, manifest = released(root / "var/lib/pi-zoo/models/demo/1.0.0", smollm2())
    inner = [Path("/", path.relative_to(root)) for path in (model, manifest)]
    configured(root / "etc/pi-zoo", *inner, port=8080)
    drop_in = root / "etc/systemd/system/pi-zoo@demo.service.d/pi-zoo.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(f"[Service]\nMemoryMax={1 << 30}\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name("bootcheck.sh"), root / "bootcheck.sh")
    (root / "etc/systemd/system/bootcheck.service").write_text(UNIT, encoding="utf-8")
    # The link of a service that starts at boot is something that a purge has to remove.
    inside(root, "systemctl enable bootcheck.service pi-zoo@other.service; : >/etc/machine-id")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_booted_system_serves_stops_and_fails_closed(out: Path, tmp_path: Path, suite: str) -> None:
    with system(suite, "amd64", tmp_path / "system", (*NEEDED, *BOOTED)) as root:
        put(root, packaging.build("amd64", out))
        inside(root, INSTALL)
        prepared(root)
        boot(root)
        said = (root / "boot.log").read_text(encoding="utf-8")[-3000:]
        assert (root / "seen").is_file(), said
        lines = (root / "seen").read_text(encoding="utf-8").splitlines()
        seen = {line.split(" ", 1)[0]: line.split(" ", 1)[1].split() for line in lines if " " in line}
        turns = [line.split()[1:] for line in lines if line.startswith("turn ")]
        # Active only after the probe answered; before that it is activating.
        assert turns[-1] == ["active", "200"], lines
        assert {state for state, _ in turns[:-1]} == {"activating"} and len(turns) > 1
        assert "success" in seen["started"] and "success" in seen["stopped"] and "inactive" in seen["stopped"], lines
        assert {"setting DynamicUser=yes", "setting MemorySwapMax=0", f"setting MemoryMax={1 << 30}"} <= set(lines)
        assert any(line.startswith("status CapEff:\t0000000000000000") for line in lines)
        assert "status NoNewPrivs:\t1" in lines and "status Seccomp:\t2" in lines
        assert seen["answer"] and seen["probe"] == ["0"]
        # A flipped byte: failed, with exit code 65, never tried again.
        assert {"failed", "exit-code", "65", "0"} == set(seen["refused"]), lines
        assert any("has the sha256" in line and "the manifest says" in line for line in lines)
        assert seen["purge"] == ["0"]
        left = sorted(path for path in listing(root) if "pi-zoo" in path)
        assert left == []
