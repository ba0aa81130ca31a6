"""An address that redirects to itself: each way to read says so, once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from test_secure_redirects import serving

from zoo.errors import RemoteError, ZooError
from zoo.hub import Hubs, Listed
from zoo.progress import Silent
from zoo.pull import webfile

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")


def test_a_circle_of_redirects_is_told_as_one(tmp_path: Path) -> None:
    with serving("/", None) as (address, asked):
        repo = Hubs(tmp_path, address).open(address).repo("model", "a", "b")
        for read in (
            lambda: webfile.fetch(address, io.BytesIO(), 99, Silent()),
            repo.refs,
            lambda: repo.listing("0" * 40),
            lambda: repo.served("0" * 40, "README.md"),
            lambda: repo.incoming("0" * 40, Listed("README.md", 1, "0" * 64), 0, 1, 5.0),
        ):
            asked.clear()
            with pytest.raises(ZooError, match="redirects in a circle") as refused:
                read()
            assert "Check the address" in refused.value.remedy and len(asked) < 30
            assert not isinstance(refused.value, RemoteError) or not refused.value.transient
