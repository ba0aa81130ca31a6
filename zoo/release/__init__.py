"""From artifacts to a release folder: files, evidence, cards, manifest. Frozen when it is moved into place.

RELEASES/NAME/VERSION/release.json    what the catalog will say, without the place on a hub
RELEASES/NAME/VERSION/model/          the model repository, as it will be published
RELEASES/NAME/VERSION/dataset/        the dataset repository, if there is one

folder     a release folder and its key: found, read, signed
kept       folders of published versions that another build took the place of
material   what a folder is made of
news       what is new in the release
early      gates that are missed before every step has run
record     the record of the release and its model
evidence   the files behind the figures
dataset    the dataset repository
sealing    provenance for programs; manifest and sums
walk       all steps in order, and the check for contradictions
"""

from __future__ import annotations

from zoo.release.assemble import assemble
from zoo.release.folder import NOWHERE, RECORD, ReleaseFolder, as_built, find, load, with_signatures

__all__ = ["NOWHERE", "RECORD", "ReleaseFolder", "as_built", "assemble", "find", "load", "with_signatures"]
