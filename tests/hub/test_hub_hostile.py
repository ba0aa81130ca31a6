"""Texts of strangers on the pages of the hub: none is markup or a command, and none turns a line round."""

from __future__ import annotations

from pathlib import Path

from plainserving import Serve, fill

from zoo.files.listing import FileRecord

pytest_plugins = ["plainserving"]

ANSI, BIDI = "\x1b[31mred\x1b[0m\x07", "\u202egnp.exe\u2066\u200f"
HTML = "<script>alert(1)</script><img src=x onerror=y>"
HOSTILE = f"{ANSI} {BIDI} {HTML}"
CARD = f"""---
license: other
license_name: "{HTML} \\x1b[31m \\u202e"
license_link: "javascript:alert(1)//\\u202e"
pipeline_tag: "\\u202e{HTML}"
tags: ["\\u202egnp", "\\x1b[2J", "{HTML}"]
language: ["\\u202e"]
---
# {HOSTILE}

[{HOSTILE}](https://example.org/{BIDI}) `{HOSTILE}`

| {HOSTILE} |
|---|
| {HOSTILE} |

```
{HOSTILE}
```
"""
RAW = ("\x1b", "\x07", "\u202e", "\u2066", "\u200f", "<script", "<img", "onerror=y>", 'href="javascript:')


def test_no_page_gives_out_what_a_stranger_hid_in_it(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    fill(served.hub, tmp_path, {"README.md": CARD.encode(), "m-Q4_0.gguf": b"x" * 2000})
    repo = served.hub.repo("model", "local", "m")
    head = repo.refs().branches["main"]
    there = repo.tree(head)["m-Q4_0.gguf"]
    oid = repo.commit(head, [FileRecord("again.gguf", there.size_bytes, there.sha256)], [], HOSTILE)
    repo.tag("v1.0.0", oid, HOSTILE)
    search = "/?search=%E2%80%AE%1B%3Cscript"
    for path in ("/", "/local", "/local/m", "/local/m/tree/v1.0.0", f"/local/m/commit/{oid[:9]}", search):
        text = served.ask("GET", path, Accept="text/html").body.decode()
        found = [one for one in RAW if one in text]
        assert not found, (path, found, [text[max(text.index(one) - 80, 0) :][:160] for one in found])
    assert "u202egnp.exe" in served.ask("GET", "/local/m").body.decode(), "it is shown as what it is"
