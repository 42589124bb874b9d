"""Logins through whatever HTTP API a platform has, told as data: requests with holes."""

from rotator.targets.http.config import HttpConfig
from rotator.targets.http.target import HttpTarget

__all__ = ["HttpConfig", "HttpTarget"]
