"""The pages for people with a board, followed word by word: their commands, run by an ordinary user in a booted Debian.

Only root can boot one. The processor is this machine's own; the package is the amd64 one.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from boardsite import NAME, ROOT, write
from chroots import BOOTED, NEEDED, boot, inside, system
from piservers import packaging
from tinygguf import smollm2

pytestmark = [
    pytest.mark.pi_boot,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes chroots"),
]

DOCS = ROOT / "site/docs"
SITE = "http://127.0.0.1:8000/"
CHAT = f"pi-zoo run {NAME}"
SERVE = f"pi-zoo serve {NAME}"
ELSEWHERE = ("make deb", "python3 -m pi_runtime")
"""What the pages say for another machine, or for people without the package."""
PROBE = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/v1/models"
UNIT = """[Unit]
After=multi-user.target
[Service]
Type=idle
ExecStart=/bin/sh /follow.sh
StandardOutput=file:/seen
StandardError=file:/seen.log
[Install]
WantedBy=multi-user.target
"""


def blocks(page: str) -> list[str]:
    """The command lines of a page's code blocks, as somebody would copy them."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    shell = [block for language, block in found if language in ("", "sh", "console")]
    lines = [line.strip() for block in shell for line in block.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(ELSEWHERE)]


def table(page: str, title: str) -> list[str]:
    """The commands in the last column of the table that begins with this title."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"| {title} |")[2].partition("\n\n")[0]
    return re.findall(r"\| `([^`]+)`", text)


def here(line: str) -> str:
    """A command of a page for this package, this model and this site."""
    line = re.sub(r"pi-zoo-runtime_\S+_arm64\.deb", "pi-zoo-runtime_*_amd64.deb", line)
    line = line.replace("https://zoo.example.org/", SITE).replace("YOUR NAME", "a tester")
    return re.sub(r"\bNAME\b", NAME, line)


def commands() -> Iterator[str]:
    """What somebody types who follows the pages from the top: set up, use, share, then the service until its end."""
    guide, service = "guide/set-up-a-pi.md", "how-to/run-as-a-service.md"
    typed = blocks(guide)
    end = typed.index(f"sudo pi-zoo remove {NAME}")
    yield from typed[:end]
    yield from (one for one in table(guide, "You want") if not one.startswith("sudo"))
    yield from (one for one in blocks("how-to/share-a-measurement.md") if "--dry-run" in one)
    yield typed[end]
    yield from (line for line in blocks(service) if not line.startswith("sudo apt install"))


def script() -> str:
    """Each command as the user ``pi`` types it; what it says and its exit code go to /seen."""
    lines = ["python3 -m http.server 8000 --bind 127.0.0.1 --directory /srv/site >/dev/null 2>&1 &", "sleep 2"]
    for number, line in enumerate(here(one) for one in commands()):
        typed = line
        # apt asks before it removes; nothing else may ask.
        answer = "/srv/yes" if " apt " in line else "/dev/null"
        if line == CHAT:
            typed = f"echo 'What is the capital of France?' | {line}"
        elif line == SERVE:
            # Somebody looks, asks once, and presses Ctrl-C.
            typed = (f"{line} & pid=$!; for turn in $(seq 300); do [ $({PROBE}) = 200 ] && break; sleep 0.2; done; "
                     f"{PROBE}; kill -INT $pid; wait $pid")  # fmt: skip
        path = f"/srv/{number}.sh"
        lines += [f"cat >{path} <<'TYPED'", f"cd ~; {typed}", "TYPED",
                  f"echo '$ {line.partition(chr(39))[0]}'", f"su - pi -c '. {path}' <{answer} 2>&1",
                  'printf "\\nexit %s\\n" "$?"']  # fmt: skip
        if "--api-key-file" in line:
            lines += ["key=$(cat /etc/pi-zoo/*.key)"]
        elif line.startswith("sudo systemctl restart") and "NAME" not in line:
            lines += [f'echo "open $({PROBE}) $({PROBE} -H "Authorization: Bearer $key")"']
    return "\n".join([*lines, "systemctl poweroff", ""])


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_pages_work_as_they_are_written(tmp_path: Path, suite: str) -> None:
    packages = (*NEEDED, *BOOTED, "dbus", "passwd", "sudo", "curl", "openssl", "ca-certificates")
    with system(suite, "amd64", tmp_path / "system", packages) as root:
        inside(root, "useradd --create-home --shell /bin/bash pi")
        (root / "etc/sudoers.d/pi").write_text("pi ALL=(ALL) NOPASSWD: ALL\n", encoding="utf-8")
        shutil.copy(packaging.build("amd64", tmp_path / "packages"), root / "home/pi")
        write(root / "srv/site", weights=smollm2())
        (root / "srv/yes").write_text("Y\n", encoding="utf-8")
        (root / "follow.sh").write_text(script(), encoding="utf-8")
        (root / "etc/systemd/system/follow.service").write_text(UNIT, encoding="utf-8")
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "follow.service").symlink_to("/etc/systemd/system/follow.service")
        (root / "etc/machine-id").write_text("", encoding="utf-8")
        boot(root, 2400)
        seen = (root / "seen").read_text(encoding="utf-8")
        (tmp_path / "seen").write_text(seen, encoding="utf-8")
        turns = [one.partition("\nexit ") for one in seen.split("$ ")[1:]]
        assert len(turns) == len(list(commands())), seen[-4000:]
        said = {one.partition("\n")[0]: one for one, _, _ in turns}
        codes = {one.partition("\n")[0]: int(code.split()[0]) for one, _, code in turns}
        # Ctrl-C ends the server; a machine with other work to do measures nothing that may be shared.
        assert codes.pop(SERVE) == 130 and said[SERVE].strip().endswith("200the server was stopped")
        (shared,) = (line for line in codes if "--share" in line)
        if codes.pop(shared):
            assert "other processes used" in said[shared].partition("NOT VALID")[2], said[shared]
        wrong = [said[line] for line, code in codes.items() if code]
        assert wrong == [], "\n\n".join(wrong)[-6000:]
        assert all(len(said[line].splitlines()) > 1 for line in (CHAT, f'{CHAT} --prompt "Hello"'))
        assert "-- No entries --" not in seen
        assert "open 401 200" in seen
        assert not any((root / place).exists() for place in ("etc/pi-zoo", "var/lib/pi-zoo"))
