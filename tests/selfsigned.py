"""A certificate for this machine that nobody signed."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A file with the key and the certificate, for a server, and one with the certificate, for who trusts it."""
    both, certificate = folder / "both.pem", folder / "c.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", both, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(both.read_bytes() + certificate.read_bytes())
    return both, certificate
