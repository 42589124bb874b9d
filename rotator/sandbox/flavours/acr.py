"""Azure Container Registry: one text for no login and for a missing right; who answers tells them apart."""

from __future__ import annotations

from rotator.sandbox.flavour import Asks, Flavour, Pulls, Reply

_TEXT = "authentication required, visit https://aka.ms/acr/authorization for more information."
_TOKEN = Reply(
    401,
    _TEXT,
    "UNAUTHORIZED",
    source="microsoft/azure-container-apps issue 212 (/oauth2/token), read 2026-11-28",
)
_REGISTRY = Reply(
    401,
    _TEXT,
    "UNAUTHORIZED",
    Asks.LOGIN,
    source="Azure/acr issue 841 and learn.microsoft.com, Troubleshoot registry login; read 2026-11-28",
)

ACR = Flavour(
    name="acr",
    host="acme.azurecr.io",
    token_path="/oauth2/token",  # noqa: S106 (a path)
    no_login=_REGISTRY,
    wrong_login=_TOKEN,
    expired_login=_TOKEN,
    refused_guest=_TOKEN,
    not_granted=_REGISTRY,
    missing_repository=Reply(404, 'repository "{name}" is not found', "NAME_UNKNOWN"),
    missing_tag=Reply(404, 'manifest tagged by "{reference}" is not found', "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429,
        "Too many requests",
        "TOOMANYREQUESTS",
        source="learn.microsoft.com, Container Registry service tiers (the status); read 2026-11-23",
    ),
    pulls=Pulls.ALL_UNTOLD,
)
