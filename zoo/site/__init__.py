"""The static site: documents by mkdocs in a process of its own, the catalog's pages by ``zoo.site.pages``.

What did not change since the last build is linked from the old site, file by file. A new site takes the place of the
old one only when all of it is there.
"""

from zoo.site.builder import SiteReport, build
from zoo.site.content import check_catalog
from zoo.site.documents import mkdocs_file
from zoo.site.server import serve
from zoo.site.swap import MARKERS

__all__ = ["MARKERS", "SiteReport", "build", "check_catalog", "mkdocs_file", "serve"]
