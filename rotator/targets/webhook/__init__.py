"""Tell a receiver that credentials were rotated, signed as Standard Webhooks 1.0.0 says.

Law of this folder: a message says who and what, never the secret; the secret travels only when it was asked for, and
then only encrypted to the receiver's own key. A receiver's address is checked when it is connected to.
"""

from __future__ import annotations

from rotator.targets.webhook.config import WebhookConfig
from rotator.targets.webhook.target import WebhookTarget

__all__ = ["WebhookConfig", "WebhookTarget"]
