"""Keep the login in the "Docker Image Configuration" of a TagoIO Deploy project.

The form has four fields: Image, Image Tag, Username and Registry Access Password
(docs.tago.io/tagodeploy/project/container/docker-image, read 2026-05-29). The same documents say what a change costs:
each is a deployment of the project, none can be made while one runs, and it counts once that has ended well. How a
program could make the change they do not say, and neither do TagoIO's OpenAPI file, its libraries and its command line.
Hence three modes: a person does it, or requests that the operator was told by TagoIO, or a program of the operator's.
"""

from rotator.targets.tagoio_deploy.config import TagoioDeployConfig
from rotator.targets.tagoio_deploy.target import TagoioDeployTarget

__all__ = ["TagoioDeployConfig", "TagoioDeployTarget"]
