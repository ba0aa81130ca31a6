"""The download room: files of a hub's commit onto this disk, whole and verified or not at all.

spans     which bytes are there and which are still to come; pure
partial   the growing file and the side-car beside it, which outlive a kill
patience  how long to wait and how often to try
lines     connections that fill it: retries, waits, stalls, a further connection where that helps
files     one file or several: what is here already, room on the disk, digest, rename, the other transport

A file grows in ``FOLDER/.zoo/partial`` and gets its name when its digest is right. After a kill the part on disk is
hashed again, compared with the digest that was noted while it was written, and only the rest is asked for.
"""

from __future__ import annotations

from zoo.hub.download.files import Fetched, fetch_files
from zoo.hub.download.patience import Patience, retrying

__all__ = ["Fetched", "Patience", "fetch_files", "retrying"]
