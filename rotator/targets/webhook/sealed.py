"""Encrypt to a receiver's public key: JSON Web Encryption, compact, ECDH-ES on X25519 with A256GCM.

Every JOSE library can open it. Each message has a key of its own, so that nothing kept here opens one later.

Sources: RFC 7516 (JWE), RFC 7518 section 4.6 (ECDH-ES and its key derivation) and 5.3 (AES GCM), RFC 8037 (X25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES = 32
_ENCRYPTION = "A256GCM"
_NONCE = bytes(12)
"""Constant: the key is used for this one message."""
_TAG_BYTES = 16


def parse_receiver_key(text: str) -> X25519PublicKey:
    """Return the key whose 32 bytes are written in base64, of either alphabet, padded or not: ``x`` of its JWK.

    Raises:
        ValueError: It is no such text, or a key that gives no secrecy.
    """
    plain = text.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError('write the 32 bytes of an X25519 public key in base64, the "x" of its JWK')
    key = X25519PublicKey.from_public_bytes(raw)
    try:
        X25519PrivateKey.generate().exchange(key)
    except ValueError as error:
        raise ValueError("this X25519 public key gives no secrecy; make a proper one") from error
    return key


def key_id(key: X25519PublicKey) -> str:
    """Return the thumbprint of ``key`` (RFC 7638), by which a receiver with several keys finds the right one."""
    jwk = json.dumps({"crv": "X25519", "kty": "OKP", "x": _encoded(_raw(key))}, separators=(",", ":"))
    return _encoded(hashlib.sha256(jwk.encode()).digest())


def sealed(key: X25519PublicKey, plain: bytes) -> str:
    """Return ``plain`` encrypted so that only the owner of ``key`` can read it; another text each time."""
    ephemeral = X25519PrivateKey.generate()
    header = {
        "alg": "ECDH-ES",
        "enc": _ENCRYPTION,
        "kid": key_id(key),
        "epk": {"kty": "OKP", "crv": "X25519", "x": _encoded(_raw(ephemeral.public_key()))},
    }
    protected = _encoded(json.dumps(header, separators=(",", ":")).encode())
    secret = derive(ephemeral.exchange(key), _ENCRYPTION, 256)
    both = AESGCM(secret).encrypt(_NONCE, plain, protected.encode("ascii"))
    parts = (_encoded(_NONCE), _encoded(both[:-_TAG_BYTES]), _encoded(both[-_TAG_BYTES:]))
    return ".".join((protected, "", *parts))


def derive(shared: bytes, algorithm: str, bits: int, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """Return the key that both sides derive from what they share: one round of the Concat KDF.

    Args:
        shared: The agreed secret. Secret.
        algorithm: The encryption's name.
        bits: Length of the key, at most 256, a multiple of 8.
        apu: Information about the sender.
        apv: Information about the receiver.
    """
    lengths = b"".join(len(part).to_bytes(4, "big") + part for part in (algorithm.encode(), apu, apv))
    return hashlib.sha256((1).to_bytes(4, "big") + shared + lengths + bits.to_bytes(4, "big")).digest()[: bits // 8]


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
