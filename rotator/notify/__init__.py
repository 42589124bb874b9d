"""Tells people what needs them: a signed webhook, Slack and what takes its messages.

Law of this package: it asks how things stand and waits for nobody, so that no receiver delays a rotation; what it
sends is made of `rotator.domain.attention.Need` alone, and no message holds a secret. Each need is told once, and once
more when it is over. What waits is never longer than what needs a person.
"""

from __future__ import annotations

from rotator.notify.bucket import Bucket
from rotator.notify.destination import Means, Sender, open_sender
from rotator.notify.notifier import Notifier, Outlet

__all__ = ["Bucket", "Means", "Notifier", "Outlet", "Sender", "open_sender"]
