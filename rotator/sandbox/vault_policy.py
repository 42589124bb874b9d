"""What a Vault policy allows: the part of its language that the shipped policies use, and how a rule is chosen. Pure.

Source: https://developer.hashicorp.com/vault/docs/concepts/policies (read 2026-11-28), "Policy syntax" and "Priority
matching". Of the language: ``path "..." { capabilities = [...] }`` and comments; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CAPABILITIES = frozenset({"create", "read", "update", "patch", "delete", "list", "sudo", "deny"})
_STANZA = re.compile(r'path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*\[([^\]]*)\]\s*\}')
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*")


@dataclass(frozen=True, slots=True)
class PathRule:
    """One stanza.

    Args:
        path: API path; ``+`` stands for one segment, ``*`` at the end for any rest.
        capabilities: What may be done there.
    """

    path: str
    capabilities: frozenset[str]

    def covers(self, path: str) -> bool:
        """Return whether this rule is about ``path``."""
        whole = self.path.removesuffix("*")
        pattern = "/".join("[^/]+" if part == "+" else re.escape(part) for part in whole.split("/"))
        return re.fullmatch(pattern + (".*" if whole != self.path else ""), path, re.DOTALL) is not None

    @property
    def weight(self) -> tuple[object, ...]:
        """Return how specific the rule is: the greatest one that covers a path decides."""
        wild = min((at for at in (self.path.find("+"), self.path.find("*")) if at >= 0), default=len(self.path) + 1)
        return wild, not self.path.endswith("*"), -self.path.count("+"), len(self.path), self.path


@dataclass(frozen=True, slots=True)
class Acl:
    """The rules of a token; what none of them covers is refused."""

    rules: tuple[PathRule, ...]

    def allows(self, path: str, capability: str) -> bool:
        """Return whether ``capability`` may be used at the API path ``path``."""
        return capability in self.capabilities(path)

    def capabilities(self, path: str) -> list[str]:
        """Return what may be done at the API path ``path``, as Vault tells it: ``deny`` alone where nothing may."""
        found = max((rule for rule in self.rules if rule.covers(path)), key=lambda rule: rule.weight, default=None)
        return ["deny"] if found is None or "deny" in found.capabilities else sorted(found.capabilities)

    def reaches(self, mount: str) -> bool:
        """Return whether some rule is about something in ``mount``; only then may a token ask what the mount is."""
        return any(f"{rule.path}/".startswith(f"{mount}/") for rule in self.rules)


def parse_policy(*texts: str) -> Acl:
    """Return what policies allow together.

    Raises:
        ValueError: A text has something else than stanzas of a path with capabilities that Vault knows.
    """
    return Acl(tuple(rule for text in texts for rule in _rules(_COMMENT.sub("", text))))


def _rules(text: str) -> Sequence[PathRule]:
    if rest := _STANZA.sub("", text).strip():
        raise ValueError(f"not a policy that is understood: {rest[:60]!r}")
    rules = [PathRule(match[1], frozenset(re.findall(r'"([^"]*)"', match[2]))) for match in _STANZA.finditer(text)]
    if unknown := {name for rule in rules for name in rule.capabilities} - CAPABILITIES:
        raise ValueError(f"no such capability: {', '.join(sorted(unknown))}")
    return rules
