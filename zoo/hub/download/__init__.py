"""The download room: files of a hub's commit onto this disk. Each file is either complete and verified, or missing.

spans     which bytes are there and which are missing; pure
partial   the growing file and the sidecar file next to it, which survive a kill
patience  how long to wait and how often to try
lines     connections that fill it: retries, waits, stalls, another connection if that helps
files     one file or several: what is already here, free disk space, digest, rename, the other transport

A file grows in ``FOLDER/.zoo/partial`` and gets its name when its digest is right. After a kill the part on disk is
hashed again, compared with the digest that was recorded while it was written, and only the rest is requested.
"""

from __future__ import annotations

from zoo.hub.download.files import Fetched, Origin, fetch_files
from zoo.hub.download.patience import MALFORMED, Patience, retrying

__all__ = ["MALFORMED", "Fetched", "Origin", "Patience", "fetch_files", "retrying"]
