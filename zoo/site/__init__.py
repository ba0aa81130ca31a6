"""The static site: documents by mkdocs in a process of its own, the catalog's pages by ``zoo.site.pages``.

Files that did not change since the last build are linked from the old site. The new site replaces the old one only when
it is complete."""

from zoo.site.builder import SiteReport, build
from zoo.site.content import check_catalog
from zoo.site.documents import mkdocs_file
from zoo.site.server import serve
from zoo.site.swap import MARKERS

__all__ = ["MARKERS", "SiteReport", "build", "check_catalog", "mkdocs_file", "serve"]
