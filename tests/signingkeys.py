"""New keys to sign with."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Private and public keys: two pairs that can be used, one on a curve that cannot, one encrypted."""
    pytest.importorskip("model_signing")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder, found = tmp_path_factory.mktemp("keys"), {}
    for name, curve in (("one", ec.SECP256R1()), ("two", ec.SECP384R1()), ("koblitz", ec.SECP256K1())):
        key = ec.generate_private_key(curve)
        found[name] = folder / f"{name}.key"
        found[f"{name}.pub"] = folder / f"{name}.pub"
        pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        found[name].write_bytes(key.private_bytes(pem, kind, serialization.NoEncryption()))
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        found[f"{name}.pub"].write_bytes(public)
        if name == "one":
            found["encrypted"] = folder / "encrypted.key"
            secret = serialization.BestAvailableEncryption(b"secret")
            found["encrypted"].write_bytes(key.private_bytes(pem, kind, secret))
    return found
