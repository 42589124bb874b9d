"""`Secret`: a value that does not print itself, and `Fingerprinter`: the only way to compare two in the open."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, NoReturn, Self, final
from urllib.parse import quote, quote_plus
from weakref import ref

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

MASK = "********"
MIN_REDACTED_CHARS = 6
"""A shorter value is not searched for in log lines: it would match half of every sentence."""

MIN_KEY_BYTES = 16
_HEAD_CHARS = 32
"""A longer secret is recognised by this many leading characters, so that one that was cut short is found too."""

_SAMPLE_CHARS = 2 * _HEAD_CHARS
"""Enough of a secret to know the head of each of its forms."""


@final
class Secret:
    """A secret string. Only a sink calls `reveal`; everything else sees a mask.

    Comparing takes constant time. Copying returns the very same object; pickling is refused.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        _LIVE.add(self)

    def reveal(self) -> str:
        """Return the value itself. Call it only where the value leaves for a place that is meant to hold it."""
        return self._value

    def __len__(self) -> int:
        """Return the number of characters."""
        return len(self._value)

    def __bool__(self) -> bool:
        """Return whether there is any character at all."""
        return bool(self._value)

    def __repr__(self) -> str:
        """Return a mask."""
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        """Return a mask."""
        return MASK

    def __format__(self, spec: str) -> str:
        """Return a mask, whatever the format."""
        return MASK

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; a plain string is never equal."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encode(self._value), _encode(other._value))

    def __hash__(self) -> int:
        """Return a hash that differs from run to run, as `str`'s does."""
        return hash((Secret, self._value))

    def __copy__(self) -> Self:
        """Return this object: it cannot change, so a copy has no use."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return this object, so that values which hold it can be copied."""
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("a Secret cannot be pickled")

    def __getstate__(self) -> NoReturn:
        """Refuse to hand out the slots."""
        raise TypeError("a Secret has no state to hand out")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse to be a configuration value: configuration holds references, not secrets."""
        raise TypeError("a Secret cannot be a model field")


class Redactor:
    """Replaces every secret that is alive in this process by a mask, in any of the forms it may take in a text.

    The last line of defence: `hits` must stay 0, and a hit is a defect of the code that wrote the line. A secret whose
    `Secret` is gone already is only found when it announces itself (``ghp_...``). May be called from any thread.
    """

    def __init__(self) -> None:
        self.hits = 0

    def __call__(self, text: str) -> str:
        """Return ``text`` without any live secret. Cost: one look-up per character, however many secrets there are."""
        spans = sorted([*_LIVE.spans(text), *_announced(text)])
        if not spans:
            return text
        parts, end = [], 0
        for first, last in _merged(spans):
            parts += [text[end:first], MASK]
            end = last
            self.hits += 1
        return "".join([*parts, text[end:]])


# Values that announce themselves, even when they never were a `Secret` here: vendors' prefixes, an ECR password and the
# authorization token around it, a signed JWT, a private key, an Authorization header.
_ANNOUNCED = re.compile(
    r"(?:\b|(?<=\\[nrt]))"
    r"(?:(?P<vendor>dckr_[po]at_|gh[pousr]_|github_pat_|glpat-|gldt-|hv[bsr]\.|ya29\.|AKIA)[A-Za-z0-9_\-]{12,}"
    r"|(?P<ecr>eyJwYXlsb2FkIjoi|QVdTOmV5Sn)[A-Za-z0-9+/=_\-]{20,}"
    r"|(?P<jwt>eyJ)[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"
    r"|(?P<scheme>(?:Basic|Bearer) )[A-Za-z0-9+/=._~\-]{20,})"
    r"|(?P<pem>-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)[A-Za-z0-9+/=\s\\]+",
)


def _announced(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a value stands whose own prefix says that it is a secret; the prefix stays readable."""
    for match in _ANNOUNCED.finditer(text):
        yield match.end(str(match.lastgroup)), match.end()


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield sorted ``spans`` with those that touch or overlap made one."""
    first, last = spans[0]
    for start, end in spans[1:]:
        if start > last:
            yield first, last
            first, last = start, end
        last = max(last, end)
    yield first, last


class _Ref(ref["Secret"]):
    """A weak reference that remembers which value is searched for because of it; empty for none yet."""

    __slots__ = ("value",)
    value: str


class _LiveSecrets:
    """Every `Secret` that is alive, and an index of the heads of their forms by their first characters.

    A secret enters the index when the next line is searched, and leaves it with the first line after its death. A
    secret may be born or die at any instant, in the middle of any line of code: both only touch containers whose
    single operations are atomic, and take no lock.
    """

    def __init__(self) -> None:
        self._refs: dict[int, _Ref] = {}
        self._born: dict[int, _Ref] = {}
        self._died: deque[str] = deque()
        self._count: dict[str, int] = {}
        self._index: dict[str, dict[str, dict[str, None]]] = {}
        self._lock = threading.RLock()

    def add(self, secret: Secret) -> None:
        """Know of ``secret`` while it is alive."""
        weak = _Ref(secret, self._forget)
        weak.value = ""
        self._refs[id(weak)] = self._born[id(weak)] = weak

    def _forget(self, weak: ref[Secret]) -> None:
        self._born.pop(id(weak), None)
        known = self._refs.pop(id(weak), None)
        if known is not None and known.value:
            self._died.append(known.value)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where ``text`` holds a live secret, whole or without its end, in any form; may overlap."""
        with self._lock:
            self._catch_up()
            gram, index = MIN_REDACTED_CHARS, self._index
            places = [at for at in range(len(text) - gram + 1) if text[at : at + gram] in index] if index else []
            return [span for at in places for span in self._spans_at(text, at)]

    def _spans_at(self, text: str, at: int) -> Iterator[tuple[int, int]]:
        for head, values in tuple(self._index.get(text[at : at + MIN_REDACTED_CHARS], {}).items()):
            if text.startswith(head, at):
                forms = {form for value in tuple(values) for form in forms_of(value) if form.startswith(head)}
                yield from ((at, at + _common(text[at : at + len(form)], form)) for form in forms)

    def _catch_up(self) -> None:
        with suppress(KeyError):  # popitem of an empty dict: somebody else was faster
            while self._born:
                _, weak = self._born.popitem()
                secret = weak()
                if secret is not None and len(secret) >= MIN_REDACTED_CHARS:
                    weak.value = secret.reveal()
                    self._enter(weak.value)
        with suppress(IndexError):
            while self._died:
                self._leave(self._died.popleft())

    def _enter(self, value: str) -> None:
        self._count[value] = self._count.get(value, 0) + 1
        if self._count[value] == 1:
            for head in _heads(value):
                self._index.setdefault(head[:MIN_REDACTED_CHARS], {}).setdefault(head, {})[value] = None

    def _leave(self, value: str) -> None:
        self._count[value] -= 1
        if self._count[value]:
            return
        del self._count[value]
        for head in _heads(value):
            heads = self._index[head[:MIN_REDACTED_CHARS]]
            heads[head].pop(value)
            if not heads[head]:
                del heads[head]
            if not heads:
                del self._index[head[:MIN_REDACTED_CHARS]]


_LIVE = _LiveSecrets()


def _common(text: str, form: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, form, strict=False)))


def _heads(value: str) -> set[str]:
    """Return how each form of ``value`` begins. Every form of a beginning is a beginning of that form."""
    return {form[:_HEAD_CHARS] for form in forms_of(value[:_SAMPLE_CHARS])}


def forms_of(value: str) -> set[str]:
    """Return every text form of ``value`` that is long enough to be searched for. Secret.

    As it is, percent-encoded, escaped by JSON or Python, both inside another JSON text, base64 anywhere inside a longer
    encoded text, and that once more (the data of a Kubernetes Secret).
    """
    coded = {value, *(encode(value, errors="surrogatepass") for encode in (quote, quote_plus))}
    coded.add(quote(value, safe="", errors="surrogatepass"))
    escaped = {_json(value), json.dumps(value, ensure_ascii=False)[1:-1], *_python(value)}
    nested = {form for inner in escaped for form in (_json(inner), *_python(inner))}
    packed = base64_forms(value)
    packed |= {form for inner in packed for form in base64_forms(inner)}
    packed |= {form.translate(_URLSAFE) for form in packed}
    return {form for form in coded | escaped | nested | packed if len(form) >= MIN_REDACTED_CHARS and form.strip("*")}


_URLSAFE = str.maketrans("+/", "-_")


def _json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _python(value: str) -> set[str]:
    """Return ``value`` as it stands between either kind of quotes in a ``repr``."""
    single = repr('"' + value)[2:-1]
    return {single, single.replace(r"\'", "'")}


def _encode(value: str) -> bytes:
    """Return UTF-8; a lone surrogate, which JSON may smuggle in, is no reason to fail."""
    return value.encode("utf-8", "surrogatepass")


def base64_forms(value: str) -> set[str]:
    """Return the base64 text that ``value`` leaves inside any longer encoded text, such as ``user:value``. Secret.

    Three alignments are possible; from each the characters that also depend on the neighbours are cut.
    """
    encoded = _encode(value)
    forms = set()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + encoded).decode()
        first = 0 if offset == 0 else offset + 1
        last = len(text) if (offset + len(encoded)) % 3 == 0 else text.index("=") - 1
        forms.add(text[first:last])
    return {form for form in forms if len(form) >= MIN_REDACTED_CHARS}


class Fingerprinter:
    """Makes short keyed fingerprints, safe to log: without the key a guess cannot be checked.

    Args:
        key: At least 16 random bytes that stay inside this installation.

    Raises:
        ValueError: ``key`` is shorter.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"a fingerprint key needs at least {MIN_KEY_BYTES} bytes")
        self._key = hmac.digest(key, b"rotator fingerprint v1", "sha256")

    def __call__(self, secret: Secret) -> str:
        """Return 16 hex digits; equal secrets have equal fingerprints under one key."""
        return hmac.digest(self._key, _encode(secret.reveal()), hashlib.sha256).hex()[:16]
