"""`AlertDesk`: takes alerts in, one message after the other, and has credentials rotated for them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.admin.alert_models import AlertGroup, HandledAlert, HandledGroup, SentAlert
from rotator.admin.surface import AdminSurface
from rotator.config.alertmanager import AlertmanagerConfig
from rotator.domain.alert import Alert, AlertRule, Outcome, holds_back, subject
from rotator.domain.events import AlertHandled
from rotator.errors import NotFoundError

MAX_REMEMBERED = 4096
"""Alerts that were acted on; more are not remembered, the oldest is forgotten first. A restart forgets all."""
REMEMBERED = timedelta(days=1)
"""An alert that fires on after this is acted on once more."""

_Key = tuple[bytes, str, str]


@dataclass(slots=True)
class AlertDesk:
    """Decides about alerts, one message at a time: a hundred of the same at once are one rotation.

    Args:
        surface: The daemon.
    """

    surface: AdminSurface
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _acted_on: OrderedDict[_Key, float] = field(default_factory=OrderedDict, init=False)

    async def take(self, group: AlertGroup, by: str) -> HandledGroup:
        """Do what ``group`` asks for, and say what it came to.

        What was started stays started when a later alert of the group fails; the sender repeats the message, and finds
        the first ones as duplicates.

        Raises:
            NotFoundError: No alert is configured to rotate anything. StoreError, UnavailableError: As
                `AdminSurface.request_rotation`.
        """
        config = self.surface.config.admin.alertmanager
        if config is None:
            raise NotFoundError("no alert rotates anything here", hint="Say which ones do under admin.alertmanager")
        rules, seen = self._rules(config), hashlib.sha256(group.group_key.encode(errors="replace")).digest()
        handled = []
        async with self._one_by_one:
            for sent in group.alerts:
                one = await self._handle(sent, (seen, sent.fingerprint, sent.starts_at), rules, config.cooldown, by)
                self.surface.emit(AlertHandled(one.outcome, one.alert, one.credential, one.rotation))
                handled.append(one)
        for _ in range(min(group.truncated_alerts, 1)):
            self.surface.emit(AlertHandled(Outcome.TRUNCATED, "", "", ""))
        return HandledGroup(alerts=tuple(handled), truncated=group.truncated_alerts, message=_advice(group, handled))

    def _rules(self, config: AlertmanagerConfig) -> dict[str, AlertRule]:
        """Return the configured rules, with every credential where none is named."""
        known = self.surface.config.credentials
        return {
            name: AlertRule(alert.credential, alert.label or "", known if alert.only is None else alert.only)
            for name, alert in config.alerts.items()
        }

    async def _handle(
        self, sent: SentAlert, key: _Key, rules: dict[str, AlertRule], cooldown: timedelta, by: str
    ) -> HandledAlert:
        alert = Alert(sent.labels.get("alertname", ""), sent.status == "firing", sent.labels)
        name = alert.name if alert.name in rules else ""
        credential = subject(alert, rules)
        if isinstance(credential, Outcome):
            return HandledAlert(alert=name, outcome=credential)
        if self._was_acted_on(key):
            return HandledAlert(alert=name, outcome=Outcome.DUPLICATE, credential=credential)
        newest = next(iter(await self.surface.rotations(credential, 1)), None)
        held = holds_back(newest, self.surface.clock.now(), cooldown)
        if held is not None:
            running = newest.id if newest is not None and held is Outcome.RUNNING else ""
            return HandledAlert(alert=name, outcome=held, credential=credential, rotation=running)
        ticket = await self.surface.request_rotation(credential, f"alert {name} fires ({sent.fingerprint})", by)
        self._remember(key)
        return HandledAlert(alert=name, outcome=Outcome.STARTED, credential=credential, rotation=ticket.rotation)

    def _was_acted_on(self, key: _Key) -> bool:
        at = self._acted_on.get(key)
        return at is not None and self.surface.clock.monotonic() - at < REMEMBERED.total_seconds()

    def _remember(self, key: _Key) -> None:
        self._acted_on[key] = self.surface.clock.monotonic()
        self._acted_on.move_to_end(key)
        if len(self._acted_on) > MAX_REMEMBERED:
            self._acted_on.popitem(last=False)


def _advice(group: AlertGroup, handled: list[HandledAlert]) -> str:
    """Return what to do about alerts that were left out; empty when none was."""
    if not group.truncated_alerts:
        return ""
    counts = Counter(one.outcome for one in handled)
    return (
        f"{group.truncated_alerts} alerts were left out, and {counts[Outcome.STARTED]} of those that came started a "
        "rotation; raise max_alerts of the receiver, or group by more labels"
    )
