"""Encryption to the receiver, opened by somebody else's implementation of JOSE."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from rotator.targets.webhook.sealed import derive, key_id, parse_receiver_key, sealed

PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
ALGORITHMS = ["ECDH-ES", "A256GCM"]


def raw(key: X25519PublicKey) -> bytes:
    """Return the bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def encoded(content: bytes) -> str:
    """Return unpadded base64url."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def receiver(private: X25519PrivateKey = PRIVATE) -> OKPKey:
    """Return the receiver's key as its library has it."""
    secret = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    document: dict[str, str | list[str]] = {
        "kty": "OKP",
        "crv": "X25519",
        "x": encoded(raw(private.public_key())),
        "d": encoded(secret),
    }
    return OKPKey.import_key(document)


def test_the_receiver_can_open_it() -> None:
    """The owner of the key reads the very bytes, and finds the key by its thumbprint."""
    opened = jwe.decrypt_compact(sealed(PRIVATE.public_key(), b"the login"), receiver(), algorithms=ALGORITHMS)
    assert opened.plaintext == b"the login"
    assert opened.protected["kid"] == key_id(PRIVATE.public_key()) == receiver().thumbprint()


def test_nobody_else_can() -> None:
    """Another key does not open it."""
    text = sealed(PRIVATE.public_key(), b"the login")
    with pytest.raises((JoseError, ValueError)):
        jwe.decrypt_compact(text, receiver(X25519PrivateKey.generate()), algorithms=ALGORITHMS)


@pytest.mark.parametrize("part", [0, 2, 3, 4], ids=["header", "nonce", "text", "tag"])
def test_a_changed_one_is_refused(part: int) -> None:
    """What was changed on the way, in any part, is not opened."""
    parts = sealed(PRIVATE.public_key(), b"the login").split(".")
    if part == 0:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        parts[0] = encoded(json.dumps({**header, "apu": "YQ"}).encode())
    else:
        parts[part] = ("B" if parts[part][0] == "A" else "A") + parts[part][1:]
    with pytest.raises((JoseError, ValueError)):
        jwe.decrypt_compact(".".join(parts), receiver(), algorithms=ALGORITHMS)


def test_each_is_different() -> None:
    """The same text sealed twice has nothing in common but its length."""
    first, second = (sealed(PRIVATE.public_key(), b"the login") for _ in range(2))
    assert len(first) == len(second)
    assert first.split(".")[3] != second.split(".")[3]


def test_the_published_derivation() -> None:
    """The key derivation gives what RFC 7518, appendix C, says."""
    shared = bytes.fromhex("9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4")
    assert encoded(derive(shared, "A128GCM", 128, b"Alice", b"Bob")) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(base64.b64encode(raw(PRIVATE.public_key())).decode(), id="base64"),
        pytest.param(encoded(raw(PRIVATE.public_key())), id="base64url"),
        pytest.param(f" {base64.urlsafe_b64encode(raw(PRIVATE.public_key())).decode()}\n", id="with white space"),
    ],
)
def test_keys_as_people_write_them(text: str) -> None:
    """A key is understood in both alphabets, padded or not."""
    assert raw(parse_receiver_key(text)) == raw(PRIVATE.public_key())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("é" * 43, id="not ASCII"),
        pytest.param(encoded(b"s" * 31), id="short"),
        pytest.param(encoded(b"s" * 33), id="long"),
        pytest.param(encoded(bytes(32)), id="zero"),
        pytest.param(encoded(b"\1" + bytes(31)), id="one"),
    ],
)
def test_keys_that_are_none(text: str) -> None:
    """What is no key, or one to which everybody knows the secret, is refused."""
    with pytest.raises(ValueError, match="X25519 public key"):
        parse_receiver_key(text)
