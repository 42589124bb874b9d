"""Draws how things stand for a terminal: what needs a person, then all credentials, or one in detail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rotator.admin.models import CredentialView, DaemonStatus, DeliveryView, LimitView, RotationView, TargetView
from rotator.admin.need_models import NeedView
from rotator.cli.failure import plain
from rotator.cli.status_table import bar, drawn_for, health_text, table
from rotator.cli.words import forecast, left_of, life, outage, placed, pullable, unwell, upcoming
from rotator.domain.attention import Severity
from rotator.domain.status import Health
from rotator.domain.words import counted, span

MAX_NEEDS = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What was read.

    Args:
        daemon: How the daemon stands, and what needs a person.
        now: The daemon's time.
        credentials: In the order of their names.
    """

    daemon: DaemonStatus
    now: datetime
    credentials: Sequence[CredentialView]


def draw_all(standing: Standing, console: Console) -> RenderableType:
    """Return what needs a person, a table of all credentials, and what is tried again by itself."""
    if not standing.credentials:
        return Text("No credential is configured.")
    needs, credentials, now = standing.daemon.needs, standing.credentials, standing.now
    lines: list[RenderableType] = [_summary(standing), *_unready(standing), *_needs(needs, now, console)]
    lines += [Text(), table(credentials, now, console), Text(), *_unwell(standing), *_privileges(credentials)]
    return Group(*lines, *_unknown(credentials), _last_line(standing))


def draw_one(credential: CredentialView, standing: Standing, console: Console) -> RenderableType:
    """Return one credential in detail, with what it needs first and the placements that are behind."""
    now = standing.now
    needs = [need for need in standing.daemon.needs if need.credential == credential.name]
    lines: list[RenderableType] = [*_unready(standing), *_needs(needs, now, console), *_block(credential, now, console)]
    lines += [_fact("registry", f"{credential.registry} ({credential.provider})")]
    lines += [_fact("message", credential.message)]
    if credential.held:
        lines.append(_fact("held back", credential.held))
    if sentence := outage(credential, now):
        lines.append(_fact("outage", sentence))
    if credential.last_success_at is not None:
        lines.append(_fact("last success", f"{span(now - credential.last_success_at)} ago"))
    lines += [_rotation(word, one) for word, one in (("running", credential.running), ("last", credential.last)) if one]
    lines += [line for target in credential.targets for line in _target(target, now)]
    if credential.withdrawn:
        text = f"generation {credential.withdrawn} was taken back; rotator versions {credential.name} shows what serves"
        lines.append(_fact("withdrawn", text))
    lines += [_fact("old version", f"generation {one.generation} is not dead yet: {one.why}") for one in credential.old]
    lines += [_fact("image", f"{one.id}: {pullable(one, now)}") for one in credential.images]
    lines += _rights(credential)
    return Group(*lines, Text(), _last_of_one(credential, needs, standing))


def draw_limits(limits: Sequence[LimitView], now: datetime) -> RenderableType:
    """Return a table of what is left of limits."""
    if not limits:
        return Text("No limit was told. Docker Hub and GitHub's API do, and custom where rate_limit_url is set.")
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for title in ("registry", "credential", "left", "forecast", "told"):
        table.add_column(title, overflow="fold")
    for one in limits:
        told = f"{span(now - one.told_at)} ago"
        row = (one.registry, one.credential, left_of(one), forecast(one, now), told)
        table.add_row(*(Text(plain(cell)) for cell in row), style=_urgency(one))
    return table


def _urgency(limit: LimitView) -> str:
    if limit.remaining == 0:
        return "bold red"
    return "yellow" if limit.exhausted_at is not None else ""


def _summary(standing: Standing) -> Text:
    by_health = Counter(one.health for one in standing.credentials)
    counts = ", ".join(f"{by_health[health]} {health}" for health in Health if by_health[health])
    total = counted(len(standing.credentials), "credential")
    return Text(f"{total} at {standing.now:%H:%M:%S} UTC: {counts}", style="bold")


def _unready(standing: Standing) -> Iterator[Text]:
    daemon = standing.daemon
    if not (daemon.ready and daemon.alive):
        yield Text(plain(f"The daemon is not ready: {daemon.message}"), style="yellow")


def _needs(needs: Sequence[NeedView], now: datetime, console: Console) -> Iterator[RenderableType]:
    """Yield what needs a person: how it stands, and below it what to do."""
    if not needs:
        return
    listed = Table.grid(padding=(0, 1))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for need in needs[:MAX_NEEDS]:
        is_critical = need.severity is Severity.CRITICAL
        symbol = ("\N{MULTIPLICATION X}" if drawn_for(console).has_unicode else "x") if is_critical else "!"
        style = _loudness(need)
        ago = f" (for {span(now - need.since)})" if need.since is not None and need.since <= now else ""
        listed.add_row(Text(symbol, style), Text.assemble((f"{need.severity}: ", style), plain(f"{need.what}{ago}")))
        listed.add_row("", Text(plain(f"do: {need.next_step}")))
    yield Text()
    yield Text("Needs you now:", style="bold")
    yield listed
    if len(needs) > MAX_NEEDS:
        yield Text(f"  and {len(needs) - MAX_NEEDS} more")


def _loudness(need: NeedView) -> str:
    """Return Rich's style of a need; the first of several is the worst."""
    return "bold red" if need.severity is Severity.CRITICAL else "yellow"


def _unwell(standing: Standing) -> Iterator[Text]:
    """Yield what is not well and needs nobody yet, each with its reason."""
    told = {need.credential for need in standing.daemon.needs}
    sentences = [unwell(one, standing.now) for one in standing.credentials if one.name not in told]
    sentences = [sentence for sentence in sentences if sentence]
    if sentences:
        yield Text("Not well, and tried again without you:", style="bold")
        yield from (Text(f"- {plain(sentence)}") for sentence in sentences[:MAX_NEEDS])
    if len(sentences) > MAX_NEEDS:
        yield Text(f"- and {len(sentences) - MAX_NEEDS} more")


def _unknown(credentials: Sequence[CredentialView]) -> Iterator[Text]:
    """Yield how many of the logins in use nobody has shown to their registry yet."""
    count = sum(one.generation > 0 and one.verified_at is None for one in credentials)
    if count:
        yield Text(f"{count} of the logins in use {'was' if count == 1 else 'were'} not shown to a registry yet.")


def _last_line(standing: Standing) -> Text:
    count = len(standing.daemon.needs)
    if count:
        what = "1 thing needs" if count == 1 else f"{count} things need"
        first = standing.daemon.needs[0]
        return Text(plain(f"{what} you, first {first.credential}: {first.next_step}."), style=_loudness(first))
    return _nothing(standing)


def _last_of_one(credential: CredentialView, needs: Sequence[NeedView], standing: Standing) -> Text:
    if needs:
        return Text(plain(f"{credential.name} needs you: {needs[0].next_step}."), style=_loudness(needs[0]))
    if sentence := unwell(credential, standing.now):
        return Text(plain(f"Nothing needs you yet. {sentence}"))
    return _nothing(standing)


def _nothing(standing: Standing) -> Text:
    if not (standing.daemon.ready and standing.daemon.alive):
        return Text("Nothing is known to need you, but the daemon has not looked at everything.", style="yellow")
    return Text("Nothing needs you.", style="green")


def _block(credential: CredentialView, now: datetime, console: Console) -> Iterator[Text]:
    marks, left = drawn_for(console), life(credential, now)
    yield Text.assemble((plain(credential.name), "bold"), "  ", health_text(credential, marks))
    yield _fact("life", Text.assemble(bar(left, marks), f" {left.text}"))
    yield _fact("generation", str(credential.generation or "-"))
    yield _fact("placed", placed(credential))
    yield _fact("next", upcoming(credential, now))


def _privileges(credentials: Sequence[CredentialView]) -> Iterator[Text]:
    """Yield which logins may do more than they need to, or are of a kind that is better replaced."""
    names = [one.name for one in credentials if one.lints]
    if names:
        shown = ", ".join(names[:MAX_NEEDS]) + (f" and {len(names) - MAX_NEEDS} more" if len(names) > MAX_NEEDS else "")
        what = "A smaller login would do for" if len(names) == 1 else f"Smaller logins would do for {len(names)}:"
        yield Text(plain(f"{what} {shown}; `rotator status NAME` says what to request instead."))


def _rights(credential: CredentialView) -> Iterator[Text]:
    """Yield whose the login is, what it may do, and what to request instead; nothing of what nobody knows."""
    if credential.principal:
        yield _fact("principal", credential.principal)
    if credential.scopes is not None:
        yield _fact("scopes", ", ".join(credential.scopes) or "none")
    for lint in credential.lints:
        yield _fact("better", lint.text)


def _rotation(word: str, rotation: RotationView) -> Text:
    error = f" [{rotation.error}]" if rotation.error else ""
    text = f"{rotation.state} in {rotation.step}{error}, {rotation.reason} by {rotation.by}: {rotation.message}"
    return _fact(word, text)


def _target(target: TargetView, now: datetime) -> Iterator[Text]:
    optional = "" if target.required else ", not required"
    yield _fact("target", f"{target.target} ({target.kind}{optional}): {target.confirmed} of {target.placements}")
    if target.error:
        yield _fact("", f"could not be asked: {target.error}")
    if target.expires_at is not None and target.expires_at <= now:
        yield _fact("", f"some of what it holds ended at {target.expires_at:%Y-%m-%d %H:%M} UTC")
    for placement in target.policy:
        yield _fact("", f"policy keeps it from {placement}")
    if target.refused > len(target.policy):
        yield _fact("", f"and from {target.refused - len(target.policy)} more")
    for delivery in target.behind:
        yield _fact("", _behind(delivery))


def _behind(delivery: DeliveryView) -> str:
    holds = f"holds generation {delivery.confirmed_generation}" if delivery.confirmed_generation else "holds none"
    message = delivery.message.removeprefix(f"{delivery.placement}: ")
    why = f": {message}" if message else ""
    return f"{delivery.placement} {holds}, tried {delivery.attempts} times{why}"


def _fact(word: str, value: Text | str) -> Text:
    return Text.assemble((f"  {word:<13}", "dim"), value if isinstance(value, Text) else plain(value))
