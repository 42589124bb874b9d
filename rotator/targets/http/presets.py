"""What is known of particular platforms. Data only: what each quirk costs is in `rotator.targets.http.plan`'s words."""

from __future__ import annotations

from enum import StrEnum

from rotator.domain.declares import Effect
from rotator.targets.http.plan import Envelope, Login, Plan, Read, Step


class Preset(StrEnum):
    """A platform whose API is known."""

    CAPROVER = "caprover"
    """A registry of CapRover; apps use it when they are saved again."""
    COOLIFY = "coolify"
    """A registry login on one of Coolify's servers, 4.4 or newer."""
    DOKPLOY = "dokploy"
    """A registry of Dokploy."""
    GITLAB_CI = "gitlab_ci"
    """A CI/CD variable of a GitLab project, DOCKER_AUTH_CONFIG unless said otherwise."""
    NOMAD = "nomad"
    """A Nomad variable."""
    PORTAINER = "portainer"
    """A registry of Portainer."""
    RAILWAY = "railway"
    """The registry login of one service at Railway."""
    RENDER = "render"
    """A registry credential of Render."""


_BOTH = {"username": "{username}", "password": "{password}"}
_RAILWAY = (
    "mutation($service: String!, $environment: String!, $input: ServiceInstanceUpdateInput!) "
    "{ serviceInstanceUpdate(serviceId: $service, environmentId: $environment, input: $input) }"
)

PRESETS: dict[Preset, Plan] = {
    # github.com/portainer/portainer api/http/handler/registries (read 2024-10-23). Without Authentication the rest is
    # ignored; with Name or URL it refuses what another registry has. The answer to PUT holds the password. With
    # Kubernetes it may answer 500 after it has changed Secrets and before it has changed its own record: send again.
    Preset.PORTAINER: Plan(
        header="X-API-KEY",
        prefix="",
        apply=Step(
            method="PUT",
            path="/api/registries/{id}",
            body={"Authentication": True, "Username": "{username}", "Password": "{password}"},
        ),
        read=Read(path="/api/registries/{id}", username_at="/Username"),
    ),
    # github.com/Dokploy/dokploy v0.30.2 (read 2026-08-21). It stores first and logs in afterwards, so that a 400 leaves
    # the new password behind; registry.all would show passwords and is not asked.
    Preset.DOKPLOY: Plan(
        header="x-api-key",
        prefix="",
        apply=Step(path="/api/registry.update", body={"registryId": "{id}", **_BOTH}),
        read=Read(path="/api/registry.one?registryId={id}", username_at="/username"),
        check=Step(path="/api/registry.testRegistryById", body={"registryId": "{id}"}),
        changed_on=(400,),
    ),
    # coolify.io/docs/api-reference, registries of a server (read 2026-08): docker login on the server.
    Preset.COOLIFY: Plan(
        apply=Step(path="/api/v1/servers/{server}/registries", body={"registry": "{registry}", **_BOTH}),
        read=Read(
            path="/api/v1/servers/{server}/registries",
            item_at="",
            item_where={"registry": "{registry}"},
            username_at="/username",
        ),
        check=Step(path="/api/v1/servers/{server}/registries/{registry}/check"),
    ),
    # github.com/caprover/caprover (read 2026-08-20). HTTP 200 for everything: its own code tells. It validates first,
    # and keeps the old login where that fails (1112). The list shows passwords.
    Preset.CAPROVER: Plan(
        header="x-captain-auth",
        prefix="",
        headers={"x-namespace": "captain"},
        login=Login(path="/api/v2/login", body={"password": "{secret}"}, token_at="/data/token"),  # noqa: S106 (a place)
        apply=Step(
            path="/api/v2/user/registries/update/",
            body={
                "id": "{id}",
                "registryUser": "{username}",
                "registryPassword": "{password}",
                "registryDomain": "{domain}",
                "registryImagePrefix": "{prefix}",
            },
        ),
        read=Read(
            path="/api/v2/user/registries/",
            item_at="/data/registries",
            item_where={"id": "{id}"},
            username_at="/registryUser",
            password_at="/registryPassword",  # noqa: S106 (a place)
            take={"domain": "/registryDomain", "prefix": "/registryImagePrefix"},
        ),
        envelope=Envelope(code_at="/status", ok=(100, 101, 102)),
        effect=Effect.NEEDS_REDEPLOY,
    ),
    # github.com/render-oss/terraform-provider-render, its client (read 2026-07-23): all four fields are required.
    Preset.RENDER: Plan(
        apply=Step(
            method="PATCH",
            path="/v1/registrycredentials/{id}",
            body={"registry": "{kind}", "name": "{name}", "username": "{username}", "authToken": "{password}"},
        ),
        read=Read(
            path="/v1/registrycredentials/{id}",
            username_at="/username",
            changed_at="/updatedAt",
            take={"kind": "/registry", "name": "/name"},
        ),
        effect=Effect.NEEDS_REDEPLOY,
    ),
    # github.com/railwayapp/cli schema.json (read 2026-08-21). GraphQL: HTTP 200 with errors is a failure.
    Preset.RAILWAY: Plan(
        apply=Step(
            path="/graphql/v2",
            body={
                "query": _RAILWAY,
                "variables": {
                    "service": "{service}",
                    "environment": "{environment}",
                    "input": {"registryCredentials": _BOTH},
                },
            },
        ),
        envelope=Envelope(errors_at="/errors"),
        effect=Effect.NEEDS_REDEPLOY,
    ),
    # gitlabhq/gitlabhq, doc/api/project_level_variables.md (read 2026-11-28). Answers echo the value. What is not sent
    # stays as it is: masked, protected, its kind. raw keeps GitLab from expanding a $ in a password.
    Preset.GITLAB_CI: Plan(
        header="PRIVATE-TOKEN",
        prefix="",
        apply=Step(
            method="PUT",
            path="/api/v4/projects/{project}/variables/{variable}?filter%5Benvironment_scope%5D={scope}",
            body={"value": "{docker_config}", "raw": True},
        ),
        read=Read(
            path="/api/v4/projects/{project}/variables/{variable}?filter%5Benvironment_scope%5D={scope}",
            docker_config_at="/value",
        ),
        values={"variable": "DOCKER_AUTH_CONFIG", "scope": "*"},
    ),
    # developer.hashicorp.com/nomad/api-docs/variables (read 2026-08-21). Items are replaced as a whole, so those of
    # others are sent back; a 409 carries the variable, secrets and all.
    Preset.NOMAD: Plan(
        header="X-Nomad-Token",
        prefix="",
        apply=Step(
            method="PUT",
            path="/v1/var/{path}?namespace={namespace}&cas={index}",
            body={"Namespace": "{namespace}", "Path": "{path}", "Items": _BOTH},
        ),
        read=Read(
            path="/v1/var/{path}?namespace={namespace}",
            username_at="/Items/username",
            password_at="/Items/password",  # noqa: S106 (a place)
            take={"index": "/ModifyIndex"},
            absent={"index": "0"},
        ),
        keep_at="/Items",
        effect=Effect.NEXT_PULL,
        values={"namespace": "default"},
    ),
}
"""By name. Whatever is wrong here can be written into the configuration instead, without a preset."""
