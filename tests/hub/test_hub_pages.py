"""What the hub says of its repositories: lists, metadata of cards, and pages for a person with a browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from plainserving import READ, WRITE, Serve, Served, fill, roles

pytest_plugins = ["plainserving"]

CARD = b"""---
license: other
license_name: <b>mine</b>
pipeline_tag: text-generation
tags: [gguf, tutor]
zoo: {name: m}
---
# A <script>alert(1)</script>

[out](javascript:alert(1)) [in](docs/a.md) ![chart](chart.svg) [page](https://example.org/)

| a | b |
|---|--:|
| 1 | <img src=x> |
"""


def repository(served: Served, name: str, *tags: str) -> str:
    """An empty repository ``local/NAME``, or one with a commit if there are tags."""
    served.ask("POST", "/api/repos/create", {"name": name, "organization": "local"})
    for tag in tags:
        head = served.ask("GET", "/api/models/local/m").json["sha"]
        assert served.ask("POST", f"/api/models/local/{name}/tag/{head}", {"tag": tag}).status == 200
    return name


def test_lists_say_what_is_there(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    fill(served.hub, tmp_path, {"README.md": CARD})
    for name in ("a", "b", "c"):
        repository(served, name)
    served.ask("POST", "/api/repos/create", {"name": "rows", "organization": "other", "type": "dataset"})
    (served.hub.folder / "repos" / "model" / ".trash" / "x").mkdir(parents=True)
    listed = [item["id"] for item in served.every_page("/api/models?limit=2")]
    assert listed == ["local/a", "local/b", "local/c", "local/m"]
    assert [item["id"] for item in served.ask("GET", "/api/datasets").json] == ["other/rows"]
    for query, count in (
        ("search=M", 1), ("author=other", 0), ("filter=tutor", 1), ("filter=tutor&filter=none", 0),
        ("pipeline_tag=text-generation", 1), ("gated=true", 0), ("sort=lastModified&limit=1", 1),
    ):  # fmt: skip
        assert len(served.ask("GET", f"/api/models?{query}").json) == count, query
    assert served.ask("GET", "/api/models?num_parameters=min:1B").status == 400
    assert served.ask("GET", "/api/models?sort=size").status == 400


def test_metadata_of_the_card(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    first = fill(served.hub, tmp_path, {"README.md": CARD})
    fill(served.hub, tmp_path, {"README.md": b"no metadata"})
    info = served.ask("GET", f"/api/models/local/m/revision/{first}").json
    assert info["cardData"]["zoo"] == {"name": "m"}
    assert info["pipeline_tag"] == "text-generation"
    assert {"gguf", "tutor", "license:other"} <= set(info["tags"])
    assert "cardData" not in served.ask("GET", "/api/models/local/m").json
    some = served.ask("GET", f"/api/models/local/m/revision/{first}?expand=tags&expand=spaces").json
    assert set(some) == {"_id", "id", "modelId", "tags"}


def test_one_damaged_repository_hides_no_other(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    fill(served.hub, tmp_path, {"README.md": CARD})
    repository(served, "other")
    (commit,) = (served.hub.folder / "repos" / "model" / "local" / "m" / "commits").glob("*.json")
    commit.write_bytes(b"{}")
    assert [item["id"] for item in served.ask("GET", "/api/models").json] == ["local/other"]
    page = served.ask("GET", "/")
    assert page.status == 200 and b"damaged" in page.body and b"local/other" in page.body
    broken = served.ask("GET", "/local/m", Accept="text/html")
    assert broken.status == 404 and b"is damaged on disk" in broken.body


def test_pages_show_versions_files_and_the_card_and_run_nothing(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"README.md": CARD, "m-Q4_0.gguf": b"x" * 2000, "a b/&i.txt": b"1"})
    repo = served.hub.repo("model", "local", "m")
    for tag in ("v1.0.0", "v1.10.0", "v1.9.0", "v2.0.0-rc.1"):
        repo.tag(tag, oid)
    front = served.ask("GET", "/").body.decode()
    assert '<span class="version">v1.10.0</span>' in front and "3 files, 2.3 kB" in front
    there = ("/local/m", "/local/m/tree/v1.0.0", "/local/m/blob/main/README.md", f"/local/m/commit/{oid[:9]}")
    for path in (*there, "/local"):
        page = served.ask("GET", path)
        text = page.body.decode()
        assert page.status == 200 and page.headers["content-type"].startswith("text/html"), path
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"<(script|img|b|i)[ >]|javascript:[^)]*\"|style=", text), path
    text = served.ask("GET", "/local/m/tree/v1.0.0").body.decode()
    assert "&lt;b&gt;mine&lt;/b&gt;" in text and 'href="/local/m/resolve/v1.0.0/docs/a.md"' in text
    assert 'href="/local/m/resolve/v1.0.0/a%20b/%26i.txt"' in text and 'href="https://example.org/"' in text
    assert served.ask("GET", "/?search=zzz").body.count(b'class="name"') == 0
    assert b"&lt;x&#34;" in served.ask("GET", "/?search=%3Cx%22").body
    for path, status in (("/nobody", 404), ("/local/none", 404), ("/local/m/tree/v9", 404)):
        assert served.ask("GET", path).json["error"]
        page = served.ask("GET", path, Accept="text/html,*/*")
        assert page.status == status and b"<h1>Not found</h1>" in page.body, path


def test_a_browser_gives_the_token_as_a_password_and_only_reads(serve: Serve, tmp_path: Path) -> None:
    served = serve(roles(tmp_path))
    fill(served.hub, tmp_path, {"README.md": CARD})
    closed = served.ask("GET", "/", Accept="text/html")
    assert closed.status == 401 and closed.headers["www-authenticate"].startswith("Basic ")
    assert b"local/m" not in closed.body
    for token, status in ((READ, 200), (WRITE, 200), ("wrong", 401)):
        header = "Basic " + base64.b64encode(f"me:{token}".encode()).decode()
        assert served.ask("GET", "/", Authorization=header).status == status
    header = "Basic " + base64.b64encode(f"me:{WRITE}".encode()).decode()
    asked = {"name": "x", "organization": "local"}
    assert served.ask("POST", "/api/repos/create", asked, Authorization=header).status == 403
    for broken in ("Basic", "Basic %%%", "Basic " + base64.b64encode(b"\xff").decode()):
        assert served.ask("GET", "/", Authorization=broken).status == 401


@pytest.mark.parametrize("asked", [{"private": True}, {"visibility": "private"}, {"visibility": "protected"}])
def test_nothing_private_is_made_public(asked: dict[str, object], serve: Serve) -> None:
    served = serve()
    got = served.ask("POST", "/api/repos/create", {"name": "s", "organization": "local", **asked})
    assert got.status == 400 and "not private" in got.json["error"]
    assert served.ask("GET", "/api/models/local/s").status == 404
    repository(served, "s")
    assert served.ask("PUT", "/api/models/local/s/settings", asked).status == 400


def test_names_of_revisions(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    oid = fill(served.hub, tmp_path, {"a": b"1"})
    for name in ("a//b", "/a", "../x", "refs/tags/v1", "a/" * 5 + "b"):
        assert served.ask("POST", "/api/models/local/m/tag/main", {"tag": name}).status == 400, name
    assert served.ask("POST", "/api/models/local/m/tag/main", {"tag": "try/one"}).status == 200
    repo = served.hub.repo("model", "local", "m")
    assert repo.refs().tags == {"try/one": oid}
    for revision in ("try%2Fone", "refs%2Ftags%2Ftry%2Fone", "refs%2Fheads%2Fmain", oid[:7], oid[:39]):
        assert served.ask("GET", f"/local/m/resolve/{revision}/a").body == b"1", revision
    fill(served.hub, tmp_path, {"a": b"2"})
    for revision in (oid[:6], "refs%2Fheads%2Ftry%2Fone", "refs%2Fpr%2F1", "heads%2Fmain"):
        assert served.ask("GET", f"/local/m/resolve/{revision}/a").code == "RevisionNotFound", revision


def test_only_a_repository_without_versions_is_deleted(serve: Serve, tmp_path: Path) -> None:
    served = serve(roles(tmp_path))
    oid = fill(served.hub, tmp_path, {"a": b"1"})
    asked = {"name": "m", "organization": "local"}
    assert served.ask("DELETE", "/api/repos/delete", asked, READ).status == 403
    served.hub.repo("model", "local", "m").tag("v1", oid)
    assert served.ask("DELETE", "/api/repos/delete", asked, WRITE).status == 403
    assert served.ask("GET", "/local/m/resolve/v1/a", token=READ).body == b"1"
    assert served.ask("POST", "/api/repos/create", {**asked, "name": "n"}, WRITE).status == 200
    assert served.ask("DELETE", "/api/repos/delete", {**asked, "name": "n"}, WRITE).status == 200
    assert served.ask("DELETE", "/api/repos/delete", {**asked, "name": "n"}, WRITE).code == "RepoNotFound"
    assert not list(served.hub.folder.glob("incoming/gone-*"))


def test_cards_are_judged_without_a_token(serve: Serve, tmp_path: Path) -> None:
    served = serve(roles(tmp_path))
    for content, status, word in (
        ("---\nlicense: apache-2.0\nlanguage: en\n---\n", 200, ""), ("# none", 200, "no metadata"),
        ("---\nlicense: [\n---\n", 400, "not valid YAML"), ("---\n- a\n---\n", 400, "not a block"),
        ("---\nlicense: apache-3.0\n---\n", 200, "line 2"),
    ):  # fmt: skip
        got = served.ask("POST", "/api/validate-yaml", {"content": content, "repoType": "model"})
        assert (got.status, word in got.body.decode()) == (status, True), (content, got.body)
        assert bool(got.json["errors"]) == (status == 400)
        assert bool(got.json["warnings"]) == (status == 200 and word != "")
