"""Provenance of a release, for programs: an in-toto statement with SLSA provenance, a CycloneDX bill of materials.

Both are pure functions of the release's record: no clock, no local path, the same bytes every time. Signing
is in ``zoo.release.provenance.signing``.
"""

from __future__ import annotations

STATEMENT = "provenance.intoto.json"
"""The in-toto statement, in the model repository."""

BOM = "bom.cdx.json"
"""The CycloneDX bill of materials, in the model repository."""

SIGNATURE = "model.sig"
"""The signature over all other files, in each repository of a signed release. No manifest lists it."""
