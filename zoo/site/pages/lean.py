"""The same page in fewer bytes, for a site of a thousand models: short addresses, no space between blocks, no quotes
and no end tags where HTML needs none. Pure.

What a browser builds from the page stays the same, except for spaces between blocks.
"""

from __future__ import annotations

import re

_GAPS = re.compile(
    r"(?<=>)\s+(?=</?(?:t[hdr]|thead|tbody|table|div|ul|ol|li|h[1-6]|p|link|meta|script|details|summary|section|main|nav"
    r"|header|footer|figure|head|body|fieldset|pre|dl|dt|dd)\b)"
)
"""Space before a block. A browser shows none there."""
_QUOTED = re.compile(r"""="([^\s"'=<>`]*[^\s"'=<>`/])"(?=[ >])""")
"""A value of an attribute that means the same without quotes. One that ends in a slash would seem to close its tag. In
text the templates write a quote as a reference."""
_ENDS = re.compile(
    r"</(?:t[dh]>(?=<t[dh]\b)|tr>(?=<tr\b)|thead>(?=<tbody\b)|li>(?=<li\b)"
    r"|p>(?=<(?:p|div|[ou]l|section|h[1-6]|pre)\b))"
)
"""End tags that HTML says may be left out there: the next start tag ends the element. Before end tags HTML allows it,
too, but checkers of pages then lose their way."""


def lean(html: str, path: str) -> str:
    """A page with the address ``path`` from the site's root in fewer bytes."""
    return _ENDS.sub("", _QUOTED.sub(r"=\1", _GAPS.sub("", _near(html, path))))


def _near(html: str, path: str) -> str:
    """Addresses that climb to the root and come back down the page's own folders are written without that."""
    folders = path.split("/")[:-1]
    root, below = "../" * len(folders), "/".join(folders) + "/"
    while folders:
        up = "../" * (path.count("/") - len(folders))
        html = html.replace(f'href="{root}{below}', f'href="{up}')
        folders = folders[:-1]
        below = "/".join(folders) + "/"
    return html.replace('href=""', 'href="./"')
