"""The text of a card as HTML: no HTML of its own, no script, no picture from elsewhere."""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MOST_CHARACTERS = 200_000
"""Longer texts are shown as they are."""


@functools.lru_cache(256)
def rendered(text: str, base: str) -> Markup:
    """``text`` in Markdown as safe HTML. Relative links are relative to ``base``; pictures become links."""
    if not text.strip():
        return Markup()
    if len(text) > MOST_CHARACTERS:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(_reader().render(text, {"base": base}))  # the reader escapes all HTML of the text


@functools.cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("link_open", _link)
    reader.add_render_rule("image", _picture)
    reader.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table>\n')
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    reader.add_render_rule("th_open", _cell)
    reader.add_render_rule("td_open", _cell)
    return reader


def _link(
    _self: RendererProtocol, tokens: Sequence[Token], at: int, _options: OptionsDict, env: EnvType
) -> str:
    return f'<a href="{_address(str(tokens[at].attrGet("href") or ""), env)}">'


def _picture(
    _self: RendererProtocol, tokens: Sequence[Token], at: int, _options: OptionsDict, env: EnvType
) -> str:
    # Inside a link, only its words.
    inside = sum(token.nesting for token in tokens[:at] if token.type.startswith("link_")) > 0
    words = html.escape(tokens[at].content or "picture")
    return words if inside else f'<a href="{_address(str(tokens[at].attrGet("src") or ""), env)}">{words}</a>'


def _cell(
    _self: RendererProtocol, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    # The reader writes the side of a column as a style, which the policy does not allow.
    side = ' class="number"' if "right" in str(tokens[at].attrGet("style") or "") else ""
    return f"<{tokens[at].tag}{side}>"


def _address(target: str, env: EnvType) -> str:
    return html.escape(target if target.startswith("#") else urljoin(str(env["base"]), target))
