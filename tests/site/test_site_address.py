"""Where a site will be published: the setting, or the repository of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import settings
from zoo.errors import InputError
from zoo.site.address import published

JOB = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"}


def zoo(folder: Path, environment: dict[str, str] | None = None) -> settings.Settings:
    (folder / "zoo.toml").touch()
    return settings.load(folder, {}, environment or {})


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("Someone/My-Zoo", "https://someone.github.io/my-zoo/"),
        ("someone/someone.github.io", "https://someone.github.io/"),
        ("someone/", ""),
        ("", ""),
    ],
)
def test_a_job_knows_the_address_of_its_pages(repository: str, address: str, tmp_path: Path) -> None:
    assert published(zoo(tmp_path), {**JOB, "GITHUB_REPOSITORY": repository}) == address


def test_another_server_or_another_machine_says_nothing(tmp_path: Path) -> None:
    named = {**JOB, "GITHUB_REPOSITORY": "someone/zoo"}
    assert published(zoo(tmp_path), {**named, "GITHUB_SERVER_URL": "https://git.example.org"}) == ""
    assert published(zoo(tmp_path), {**named, "GITHUB_ACTIONS": ""}) == ""


def test_the_setting_decides(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text('site_url = "https://models.example.org/zoo"\n')
    found = published(zoo(tmp_path), {**JOB, "GITHUB_REPOSITORY": "someone/zoo"})
    assert found == "https://models.example.org/zoo/"


@pytest.mark.parametrize("text", ["models.example.org", "https://user:secret@example.org/", "javascript:alert(1)"])
def test_an_invalid_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        zoo(tmp_path, {"ZOO_SITE_URL": text})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["-1", "1.5", "all", "99999999"])
def test_the_size_of_copied_files_is_a_whole_number(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="site_files_mb"):
        zoo(tmp_path, {"ZOO_SITE_FILES_MB": text})
