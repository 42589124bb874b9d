"""Amazon ECR: the password goes with every request, and the words say what the status does not."""

from __future__ import annotations

from rotator.sandbox.flavour import Asks, Flavour, Pulls, Reply

ECR = Flavour(
    name="ecr",
    host="123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    scheme="basic",
    service="ecr.amazonaws.com",
    no_login=Reply(
        401, "Not Authorized\n", asks=Asks.LOGIN, source="mdlavin/copy-docker-image issue 5, read 2026-11-28"
    ),
    wrong_login=Reply(400, "", source="aws/aws-cli issues 4962 and 9864 (the status alone is quoted); read 2026-11-28"),
    expired_login=Reply(
        403,
        "Your Authorization Token has expired. Please run 'aws ecr get-login' to fetch a new one.",
        source="docker/docker-py issue 1170 and convox/rack issue 678 (plain text); read 2026-11-28",
    ),
    not_granted=Reply(
        403,
        "User: arn:aws:iam::123456789012:user/{user} is not authorized to perform: ecr:BatchGetImage on resource: "
        "arn:aws:ecr:eu-west-1:123456789012:repository/{name} because no identity-based policy allows the "
        "ecr:BatchGetImage action",
        "DENIED",
        source="Amazon ECR user guide, Troubleshooting, and reports of docker pull; read 2026-11-23",
    ),
    missing_repository=Reply(
        404,
        "The repository with name '{name}' does not exist in the registry with id '123456789012'",
        "NAME_UNKNOWN",
        source="reports of docker push and pull; read 2026-11-23",
    ),
    missing_tag=Reply(404, "Requested image not found", "MANIFEST_UNKNOWN"),
    over_limit=Reply(
        429, "Rate exceeded", "TOOMANYREQUESTS", source="Amazon ECR user guide, Troubleshooting; read 2026-11-23"
    ),
    pulls=Pulls.ALL_UNTOLD,
)
