"""Recognise secrets that were written into the configuration, where only references belong.

The prefixes are the ones their vendors document for secret scanning: Docker Hub personal and organisation tokens,
GitHub's five kinds, GitLab personal and deploy tokens, Vault service, batch and recovery tokens, AWS access key ids,
JSON web tokens and PEM private keys.
"""

from __future__ import annotations

import re
from typing import Any

from rotator.config.mistake import KeyPath

_TOKEN = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
        dckr_[po]at_[A-Za-z0-9_-]{8,}
      | gh[pousr]_[A-Za-z0-9]{8,}
      | github_pat_[A-Za-z0-9_]{8,}
      | gl(?:pat|dt)-[A-Za-z0-9_.-]{8,}
      | hv[sbr]\.[A-Za-z0-9_-]{16,}
      | A[KS]IA[A-Z0-9]{12,}
      | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}
    )
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY
    """,
    re.VERBOSE | re.ASCII,
)
_PASSWORD_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@]*:[^/?#\s@]+@", re.ASCII)

TOKEN = (
    "looks like a secret written inline; write where it is, such as {file: /run/secrets/token}, "  # noqa: S105
    "and replace it at its vendor, since it has been in a file"
)
URL = "holds a password inside a URL; leave the password out and give it by its own key or file"


def inline_secret(text: str) -> str:
    """Return why ``text`` cannot stay in the configuration; empty when it may. Never repeats it."""
    if _TOKEN.search(text):
        return TOKEN
    return URL if _PASSWORD_IN_URL.search(text) else ""


def inline_secrets(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, str]]:
    """Return path and reason of each string inside ``value`` that looks like a secret."""
    if isinstance(value, str):
        reason = inline_secret(value)
        return [(path, reason)] if reason else []
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in inline_secrets(item, (*path, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in inline_secrets(item, (*path, index))]
    return []
