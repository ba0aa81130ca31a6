"""What every test stands on: the network shut but for this machine itself, no settings from outside, small zoos."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.checks import CheckedRecipe, check_recipe
from zoo import settings as settings_room
from zoo.settings import Settings

REPOSITORY = Path(__file__).parent.parent
KEPT = frozenset(("ZOO_CONVERTER", "ZOO_UPDATE_GOLDEN"))
"""Variables that say where a tool lies or how the tests run; they are no settings."""

# At import, so that modules which read the environment only once see it too, and so do processes of the tests.
for variable in [name for name in os.environ if name.startswith("ZOO_") and name not in KEPT]:
    del os.environ[variable]
os.environ["HF_HUB_OFFLINE"] = "1"


class NetworkIsShut(RuntimeError):
    """A test reached for a machine that is not this one."""


def _refuse_the_outside(family: int, address: Any) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0])
    try:
        inside = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        inside = host in ("", "localhost")
    if not inside:
        raise NetworkIsShut(f"tests must not reach {host}")


def _shut(method: str, address_position: int) -> None:
    original = getattr(socket.socket, method)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        _refuse_the_outside(self.family, arguments[address_position])
        return original(self, *arguments)

    setattr(socket.socket, method, guarded)


_shut("connect", 0)
_shut("connect_ex", 0)
_shut("sendto", -1)


@pytest.fixture
def in_time() -> Iterator[None]:
    """Fails a test that hangs, such as on a pipe that nobody writes to."""

    def too_late(*_: Any) -> None:
        raise AssertionError("this took more than 20 seconds")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def zoo_folder(tmp_path: Path) -> Path:
    """A zoo with the starter recipes and their corpora, and nothing built."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "zoo.toml").write_text("", encoding="utf-8")
    shutil.copytree(REPOSITORY / "recipes", folder / "recipes")
    return folder


@pytest.fixture
def settings(zoo_folder: Path) -> Settings:
    """Its settings, with nothing from outside."""
    return settings_room.load(zoo_folder, {}, {})


@pytest.fixture
def check_text(zoo_folder: Path) -> Callable[..., CheckedRecipe]:
    """Checks text as the recipe ``NAME`` of the zoo."""

    def check(text: str | bytes, name: str = "plain") -> CheckedRecipe:
        path = zoo_folder / "recipes" / f"{name}.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return check_recipe(path, zoo_folder)

    return check
