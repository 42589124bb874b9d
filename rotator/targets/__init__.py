"""Places that must hold credentials, one file or small folder each.

Law of this layer: a target knows one kind of place and no other target. It writes only what it was given, in one
step, beside whatever else is there; it reads back what it wrote; it lets out only `rotator.errors`, never with a
secret or a response body in the text. Each class takes ``(name, config, context)`` and does no I/O until asked.
"""

from __future__ import annotations

TARGETS: dict[str, str] = {
    "aws_secrets_manager": "rotator.targets.aws_secrets_manager:AwsSecretsManagerTarget",
    "docker_config": "rotator.targets.docker_config:DockerConfigTarget",
    "docker_config_ssh": "rotator.targets.docker_config_ssh:DockerConfigSshTarget",
    "exec": "rotator.targets.exec:ExecTarget",
    "github_actions": "rotator.targets.github_actions:GithubActionsTarget",
    "http": "rotator.targets.http:HttpTarget",
    "kubernetes": "rotator.targets.kubernetes:KubernetesTarget",
    "swarm": "rotator.targets.swarm:SwarmTarget",
    "tagoio_deploy": "rotator.targets.tagoio_deploy:TagoioDeployTarget",
    "tagoio_secret": "rotator.targets.tagoio_secret:TagoioSecretTarget",
    "vault_kv": "rotator.targets.vault_kv:VaultKvTarget",
    "webhook": "rotator.targets.webhook:WebhookTarget",
}
"""Kind, as in the configuration's ``type``, to ``module:Class``. Loaded only when configured."""
