"""A folder hub over HTTP with the Hub's own API, so that the official client works with it unchanged.

wire    requests with bounds, answers, errors in the client's form
access  tokens with roles, signed upload addresses
store   repositories, revisions and contents of the folder
cards   what the card of a commit says
views   the API's JSON for repositories, commits and files
lists   which repositories there are
pages   what a person sees in a browser
repositories  what may be done with a whole repository
writes  create, preupload, LFS, commit, tag
multipart  large contents in parts
manifests  which file llama.cpp means by a tag
files   resolve: contents with ranges and ETags
routes  which path is what
server  sockets: threads, limits, times

Commits of a folder hub have 64 hexadecimal digits, but the client requires 40: it gets the first 40, and the server
accepts both. Paths from requests are only looked up in commits, so they never reach the disk.
"""

from __future__ import annotations

from zoo.hub.server.access import Access, read_tokens
from zoo.hub.server.server import Bounds, HubServer, is_loopback

__all__ = ["Access", "Bounds", "HubServer", "is_loopback", "read_tokens"]
