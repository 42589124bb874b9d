"""Whether a login may do more than pull, and what to request instead. Pure; nothing here asks anybody.

A scope is known to be for reading, known to allow more, or unknown: of a word that is in no row below nothing is
concluded. Whoever may read more than images (``read:org``) is not reported; whoever may push, delete or administer is.

Sources (read 2026-11-28): docs.github.com, "Scopes for OAuth apps"; docs.gitlab.com, deploy tokens and personal access
tokens; docs.docker.com/reference/api/hub/latest, access tokens; goharbor/harbor ``src/common/rbac/const.go``;
quay/quay ``data/model/permission.py`` (roles); jfrog.com/help, "Create Scoped Token"; Azure/acr ``docs/AAD-OAuth.md``
(claims of a refresh token); learn.microsoft.com, ACR's authentication options and scope maps; cloud.google.com,
Artifact Registry's roles and Cloud Storage's OAuth scopes; distribution's token specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rotator.domain.lint import Lint
from rotator.domain.model import Login

MAX_NAMED = 4
"""Scopes that a sentence names; the rest is counted."""

_FAMILIES = {
    "acr_token": "acr",
    "dockerhub_token": "dockerhub",
    "ecr_public": "ecr",
    "gar": "google",
    "jfrog_token": "jfrog",
}
"""Providers that are another way to the same vendor's words."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one of a vendor's words allows.

    Args:
        vendor: Whose word it is; ``*`` for a registry token's, which all speak.
        pattern: Regular expression for the whole word.
        may: What it allows besides reading; empty when it is for reading alone.
    """

    vendor: str
    pattern: str
    may: str = ""


SCOPES = (
    Scope("*", r"repository:.+:pull"),
    Scope("*", r"repository:.+:push", "push"),
    Scope("*", r"repository:.+:delete", "delete"),
    Scope("*", r"repository:.+:\*", "push and delete"),
    Scope("acr", r"\*", "do everything"),
    Scope("acr", r"(.+/)?read"),
    Scope("acr", r"(.+/)?write", "push"),
    Scope("acr", r"(.+/)?delete", "delete"),
    Scope("acr", r"_repositories_pull(_metadata_read)?"),
    Scope("acr", r"_repositories_push(_metadata_write)?", "push"),
    Scope("acr", r"_repositories_admin", "push and delete"),
    Scope("digitalocean", r"read-only"),
    Scope("dockerhub", r"repo:(public_)?read"),
    Scope("dockerhub", r"repo:write", "push"),
    Scope("dockerhub", r"repo:admin", "push and delete"),
    Scope("dockerhub", r"(.+:)?scope-image-pull"),
    Scope("dockerhub", r"(.+:)?scope-image-push", "push"),
    Scope("ghcr", r"read:.+|user:email|audit_log"),
    Scope("ghcr", r"write:packages", "push"),
    Scope("ghcr", r"delete:packages", "delete packages"),
    Scope("ghcr", r"repo", "change code and settings of every repository"),
    Scope("ghcr", r"public_repo", "change code of public repositories"),
    Scope("ghcr", r"repo:.+|repo_deployment|security_events", "change things in repositories"),
    Scope("ghcr", r"delete_repo", "delete repositories"),
    Scope("ghcr", r"workflow", "change workflows"),
    Scope("ghcr", r"(admin|manage_.+):.+", "administer"),
    Scope("ghcr", r"write:.+|gist|user|user:follow|project|codespace|notifications", "change things of the account"),
    Scope("gitlab", r"read_.+"),
    Scope("gitlab", r"self_rotate"),
    Scope("gitlab", r"api", "do everything that its account may"),
    Scope("gitlab", r"sudo|admin_mode", "administer"),
    Scope("gitlab", r"write_(registry|virtual_registry|package_registry)", "push"),
    Scope("gitlab", r"write_repository", "push code"),
    Scope("gitlab", r"(create|manage)_runner|k8s_proxy", "administer"),
    Scope("google", r"roles/(artifactregistry\.reader|storage\.objectViewer|viewer)"),
    Scope("google", r"roles/artifactregistry\.(writer|createOnPushWriter)", "push"),
    Scope("google", r"roles/artifactregistry\.(repoAdmin|createOnPushRepoAdmin|admin)", "push and delete"),
    Scope("google", r"roles/storage\.(objectAdmin|admin|legacyBucketWriter)", "push and delete"),
    Scope("google", r"roles/editor", "push and delete"),
    Scope("google", r"roles/owner", "do everything"),
    Scope(
        "google", r"https://www\.googleapis\.com/auth/(devstorage\.read_only|cloud-platform\.read-only|userinfo\..+)"
    ),
    Scope("google", r"openid"),
    Scope("harbor", r".* repository:(pull|read|list)"),
    Scope("harbor", r".* [a-z-]+:(read|list)"),
    Scope("harbor", r".* repository:push", "push"),
    Scope("harbor", r".* [a-z-]+:delete", "delete"),
    Scope("harbor", r".* (\*|[a-z-]+):(\*|create|update|operate|stop|push)", "change things"),
    Scope("jfrog", r"applied-permissions/admin|(jf[a-z]+@[^:]+|\*):admin", "administer the platform"),
    Scope("quay", r"[^ ]+:read"),
    Scope("quay", r"[^ ]+:write", "push"),
    Scope("quay", r"[^ ]+:admin", "administer the repository"),
)
"""Every word that is known; the first row that fits counts. A team of Quay, a group of JFrog, and Google's
``cloud-platform`` are in none: what they allow is decided elsewhere."""

INSTEAD = {
    "acr": "grant the role AcrPull alone, or make a token with the scope map _repositories_pull",
    "digitalocean": "request read_write=false",
    "dockerhub": "make an access token that may only read (app.docker.com/settings/personal-access-tokens), or an "
    "organisation's with pull alone",
    "ecr": "grant the policy AmazonEC2ContainerRegistryPullOnly alone",
    "ghcr": "make a classic token with read:packages alone (github.com/settings/tokens/new?scopes=read:packages)",
    "gitlab": "make a deploy token with read_registry alone",
    "google": "grant the role roles/artifactregistry.reader alone",
    "harbor": "make a robot with the permission to pull repositories alone",
    "jfrog": "make a token with applied-permissions/groups: and a group that may only read",
    "quay": "give the robot the role read on the repositories it pulls, and nothing else",
}
"""What to request instead, by vendor."""
_INSTEAD = "use one that may only pull"

_TOKENS = {
    "dockerhub": r"dckr_[po]at_.*|eyJ.*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "ghcr": r"gh[opsu]_.*|github_pat_.*|[0-9a-f]{40}",
    "gitlab": r"gl(pat|dt|cbt)-.*|eyJ.*",
    "jfrog": r"eyJ.*|AKCp.*|[A-Za-z0-9]{64}",
}
"""What tokens look like where there are any; older ones of Docker Hub and GitHub without a prefix included.

Sources: the vendors' documented prefixes; trufflesecurity/trufflehog, detectors ``dockerhub/v1`` and ``github/v1``, and
``artifactory`` (read 2026-11-28)."""

_FINE_GRAINED = "github_pat_"
_TOKEN_NAMES = re.compile(r"gitlab(\+deploy-token-\d+|-ci-token)")


@dataclass(frozen=True, slots=True)
class Privilege:
    """Whether a login may do more than it needs to pull. Not secret.

    Args:
        is_excessive: Whether it may push, delete or administer; None when nobody knows.
        lints: What is better changed, and what to request instead.
    """

    is_excessive: bool | None = None
    lints: tuple[Lint, ...] = ()


NOT_JUDGED = Privilege()


def vendor_word(provider: str, registry_vendor: str) -> str:
    """Return whose words a credential's scopes are.

    Args:
        provider: The credential's provider.
        registry_vendor: Whose registry it is by its host's name; counts for ``custom`` alone.
    """
    return registry_vendor if provider == "custom" else _FAMILIES.get(provider, provider)


def privilege_of(vendor: str, scopes: frozenset[str] | None, username: str = "", registry: str = "") -> Privilege:
    """Return what is known of a login's rights.

    Args:
        vendor: As `vendor_word` returns it.
        scopes: What it may do, in the vendor's own words; None when nobody knows.
        username: Its user name; tells the admin user of an Azure registry.
        registry: Host of the registry.
    """
    if _is_admin_user(vendor, username, registry):
        text = f"this is the registry's admin user, which may do everything: {instead(vendor)}, and disable that user"
        return Privilege(is_excessive=True, lints=(Lint("over_privileged", text),))
    if scopes is None:
        return NOT_JUDGED
    more = [(scope, may) for scope in sorted(scopes) if (may := allowed(vendor, scope))]
    if more:
        return Privilege(is_excessive=True, lints=(Lint("over_privileged", _sentence(vendor, more)),))
    is_known = all(allowed(vendor, scope) is not None for scope in scopes)
    return Privilege(is_excessive=False if is_known else None)


def allowed(vendor: str, scope: str) -> str | None:
    """Return what ``scope`` allows besides reading; empty for nothing, None when it is not known."""
    rows = (row for row in SCOPES if row.vendor in {vendor, "*"})
    return next((row.may for row in rows if re.fullmatch(row.pattern, scope)), None)


def instead(vendor: str) -> str:
    """Return what to request instead, as the rest of a sentence."""
    return INSTEAD.get(vendor, _INSTEAD)


def password_lints(vendor: str, login: Login) -> Iterator[Lint]:
    """Yield what is better changed about the kind of secret. Of the secret only its form is looked at."""
    tokens, secret = _TOKENS.get(vendor), login.secret.reveal()
    if tokens is None or _TOKEN_NAMES.fullmatch(login.username):
        return
    if vendor == "ghcr" and secret.startswith(_FINE_GRAINED):
        yield Lint("fine_grained_token", "GitHub's registry takes classic tokens only, this one is fine-grained")
    elif not re.fullmatch(tokens, secret):
        text = "this looks like a password, not a token: a token can be limited and revoked alone"
        yield Lint("password", f"{text}; {instead(vendor)}")


def _is_admin_user(vendor: str, username: str, registry: str) -> bool:
    """Return whether it is the account that Azure names for the registry, whose host may carry a hash after the name.

    Source: learn.microsoft.com/azure/container-registry/container-registry-authentication, admin account; registry
    names hold letters and digits alone (read 2026-11-28).
    """
    name = registry.partition(".")[0].partition("-")[0]
    return vendor == "acr" and bool(name) and username.lower() == name.lower()


def _sentence(vendor: str, more: list[tuple[str, str]]) -> str:
    """Return that a login may do ``more``: each a scope and what it allows."""
    named = ", ".join(f"{may} ({scope})" for scope, may in more[:MAX_NAMED])
    rest = f", and {len(more) - MAX_NAMED} scopes more" if len(more) > MAX_NAMED else ""
    return f"this login may also {named}{rest}: to pull, {instead(vendor)}"
