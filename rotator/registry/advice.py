"""What a person does about a diagnosis: a table by ailment, vendor and detail. Pure.

Sources: as `rotator.registry.answer`, and the vendors' own pages on logging in (read 2026-11-23).
"""

from __future__ import annotations

import re
from enum import StrEnum


class Ailment(StrEnum):
    """What can be the matter."""

    OK = "ok"
    AUTH_FAILED = "auth_failed"
    """The login is wrong or revoked."""
    AUTH_EXPIRED = "auth_expired"
    """The login has expired; some registries say the same of an invalid one."""
    AUTH_MISSING = "auth_missing"
    """No login was shown, and one is wanted."""
    INSUFFICIENT_SCOPE = "insufficient_scope"
    """The login is good and lacks a right."""
    NOT_FOUND = "not_found"
    """The repository or the tag does not exist."""
    NO_ACCESS_OR_NOT_FOUND = "no_access_or_not_found"
    """Not granted, or does not exist: the registry hides which."""
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    """No answer, or a failing server: nothing is known about login and image."""
    NOT_A_REGISTRY = "not_a_registry"
    """Something answers, but no registry."""
    TWO_FACTOR = "two_factor"
    """The password is right, but the account wants a second factor."""
    CLIENT_KEY_MISMATCH = "client_key_mismatch"
    """A login is wanted, and the one there is stands under a key that no client looks for."""
    NOT_TRIED = "not_tried"
    """A login is wanted, and the one there is was not shown: it would have to be minted, or could not be read."""
    UNCLEAR = "unclear"
    """An answer that none of these explains."""


class Detail(StrEnum):
    """A kind within an ailment."""

    NONE = ""
    REPOSITORY = "repository"
    TAG = "tag"
    PULL_LIMIT = "pull_limit"
    ABUSE = "abuse"
    BAN = "ban"
    LOGIN_LOCKOUT = "login_lockout"
    DNS = "dns"
    TLS = "tls"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    SERVER_ERROR = "5xx"
    CLOCK = "clock"
    FORMAT = "format"
    ADDRESS = "address"


class Vendor(StrEnum):
    """Whose registry it is, as far as its host's name tells."""

    DOCKER_HUB = "dockerhub"
    GHCR = "ghcr"
    ECR = "ecr"
    ECR_PUBLIC = "ecr_public"
    GOOGLE = "google"
    ACR = "acr"
    GITLAB = "gitlab"
    HARBOR = "harbor"
    QUAY = "quay"
    OTHER = "other"


_VENDORS = (
    (Vendor.DOCKER_HUB, r"docker\.io|(index|registry-1)\.docker\.io"),
    (Vendor.GHCR, r"ghcr\.io"),
    (Vendor.ECR, r"\d{12}\.dkr[.-]ecr[.-].+"),
    (Vendor.ECR_PUBLIC, r"public\.ecr\.aws|ecr-public\.aws\.com"),
    (Vendor.GOOGLE, r".+-docker\.pkg\.dev|(.+\.)?gcr\.io"),
    (Vendor.ACR, r".+\.azurecr\.(io|cn|us)"),
    (Vendor.QUAY, r"quay\.io"),
    (Vendor.GITLAB, r"(.*[.-])?gitlab\..+"),
    (Vendor.HARBOR, r"(.*[.-])?harbor\..+"),
)


def vendor_of(registry: str) -> Vendor:
    """Return whose registry ``registry``, ``host[:port]``, is. A name may mislead; only advice and a ban hang on it."""
    host = re.sub(r":[0-9]+\Z", "", registry.lower())
    return next((vendor for vendor, pattern in _VENDORS if re.fullmatch(pattern, host)), Vendor.OTHER)


_EITHER = "Compare the spelling; then ask whoever owns the repository to grant this login pull access"

ADVICE: dict[tuple[Ailment, Vendor, Detail], str] = {
    (Ailment.AUTH_FAILED, Vendor.OTHER, Detail.NONE): "Replace the credential: user name or password is wrong",
    (Ailment.AUTH_FAILED, Vendor.DOCKER_HUB, Detail.NONE): (
        "Make a new access token at Docker Hub; the user name is the account, or the organisation for its tokens"
    ),
    (Ailment.AUTH_FAILED, Vendor.GHCR, Detail.NONE): (
        "Make a new classic token with read:packages, or remove this entry: it blocks public images as well"
    ),
    (Ailment.AUTH_FAILED, Vendor.ECR, Detail.NONE): (
        "Get a new password from AWS, for user AWS; one that was cut, or has a line end in it, is none"
    ),
    (Ailment.AUTH_FAILED, Vendor.GOOGLE, Detail.NONE): (
        "Log in with user oauth2accesstoken and a fresh access token (it lives an hour), or _json_key and a key"
    ),
    (Ailment.AUTH_FAILED, Vendor.ACR, Detail.NONE): (
        "Log in anew; where the password is a token of Entra, ask for the registry's own audience"
    ),
    (Ailment.AUTH_FAILED, Vendor.QUAY, Detail.NONE): "Take the robot's present token; regenerating ended the old one",
    (Ailment.AUTH_FAILED, Vendor.HARBOR, Detail.NONE): "Take the robot's present secret; look whether it is disabled",
    (Ailment.AUTH_FAILED, Vendor.GITLAB, Detail.NONE): "Use a token with read_registry; look whether it has expired",
    (Ailment.AUTH_EXPIRED, Vendor.OTHER, Detail.NONE): "Get a fresh credential; this one is over",
    (Ailment.AUTH_EXPIRED, Vendor.ECR, Detail.NONE): "Get a new password from AWS; each lives 12 hours",
    (Ailment.AUTH_EXPIRED, Vendor.ECR_PUBLIC, Detail.NONE): (
        "Get a new password of ecr-public in us-east-1, or pull without a login"
    ),
    (Ailment.AUTH_MISSING, Vendor.OTHER, Detail.NONE): (
        "Show a login (--docker-config or --config), and compare the spelling"
    ),
    (Ailment.INSUFFICIENT_SCOPE, Vendor.OTHER, Detail.NONE): "Grant this login the right to pull the repository",
    (Ailment.INSUFFICIENT_SCOPE, Vendor.ECR, Detail.NONE): (
        "Grant ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability, by the role's policy "
        "or the repository's"
    ),
    (Ailment.INSUFFICIENT_SCOPE, Vendor.ACR, Detail.NONE): "Grant AcrPull, or content/read in the token's scope map",
    (Ailment.NOT_FOUND, Vendor.OTHER, Detail.NONE): "Compare repository and tag with what was pushed",
    (Ailment.NOT_FOUND, Vendor.OTHER, Detail.TAG): "The repository is there, this tag or digest is not: push it",
    (Ailment.NOT_FOUND, Vendor.OTHER, Detail.REPOSITORY): "Compare the spelling of the repository, or create it",
    (Ailment.NOT_FOUND, Vendor.ECR, Detail.REPOSITORY): (
        "Compare account, region and repository; ECR has no repository before it is created"
    ),
    (Ailment.NO_ACCESS_OR_NOT_FOUND, Vendor.OTHER, Detail.NONE): _EITHER,
    (Ailment.NO_ACCESS_OR_NOT_FOUND, Vendor.GHCR, Detail.NONE): (
        f"{_EITHER}; only classic tokens with read:packages pull, and an organisation may want SSO authorised"
    ),
    (Ailment.NO_ACCESS_OR_NOT_FOUND, Vendor.GOOGLE, Detail.NONE): f"{_EITHER} (roles/artifactregistry.reader)",
    (Ailment.RATE_LIMITED, Vendor.OTHER, Detail.NONE): "Wait, and ask less often; nothing is wrong with the login",
    (Ailment.RATE_LIMITED, Vendor.OTHER, Detail.PULL_LIMIT): (
        "Wait until pulls leave the window, log in, or pull through a mirror"
    ),
    (Ailment.RATE_LIMITED, Vendor.OTHER, Detail.ABUSE): (
        "Too many requests in a short time: wait a few minutes and spread them; another login does not help"
    ),
    (Ailment.RATE_LIMITED, Vendor.ECR_PUBLIC, Detail.ABUSE): (
        "Without a login one request a second is allowed, with one ten: log in, or ask less often"
    ),
    (Ailment.RATE_LIMITED, Vendor.OTHER, Detail.BAN): (
        "The address may be banned after failed logins: stop what shows a wrong one, then wait"
    ),
    (Ailment.RATE_LIMITED, Vendor.OTHER, Detail.LOGIN_LOCKOUT): (
        "Stop whatever tries a wrong password and wait ten minutes; until then the right one fails as well"
    ),
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.NONE): "Try again; nothing is known about the login",
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.DNS): "Compare the spelling of the host; ask this machine's resolver",
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.TLS): (
        "Trust the authority of its certificate; for plain HTTP say --insecure HOST"
    ),
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.REFUSED): "Look whether the registry runs, and compare the port",
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.TIMEOUT): "Look at firewall, proxy and route; then try again",
    (Ailment.UNREACHABLE, Vendor.OTHER, Detail.SERVER_ERROR): "Look at the registry's status page; then try again",
    (Ailment.NOT_A_REGISTRY, Vendor.OTHER, Detail.NONE): (
        "Compare host and port; a proxy or a portal may be answering in its place"
    ),
    (Ailment.TWO_FACTOR, Vendor.OTHER, Detail.NONE): "Use an access token instead of the account's password",
    (
        Ailment.CLIENT_KEY_MISMATCH,
        Vendor.OTHER,
        Detail.NONE,
    ): "Log in anew with the client that pulls, or rename the key",
    (Ailment.NOT_TRIED, Vendor.OTHER, Detail.NONE): (
        "Ask the daemon (--socket), or show the login that it delivered (--docker-config)"
    ),
    (Ailment.UNCLEAR, Vendor.OTHER, Detail.NONE): "Ask whoever runs the registry; its log says why",
    (Ailment.UNCLEAR, Vendor.OTHER, Detail.CLOCK): "Compare the clocks of the registry and its token server",
    (Ailment.UNCLEAR, Vendor.OTHER, Detail.FORMAT): "The image is there, in a format that is not known here",
    (Ailment.UNCLEAR, Vendor.OTHER, Detail.ADDRESS): "Let this machine's address through the registry's firewall",
}
"""By ailment, vendor (`Vendor.OTHER`: any) and detail (`Detail.NONE`: any)."""
