"""Draws credentials for a terminal: a table where there is room, blocks of lines where there is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rotator.admin.models import CredentialView, DeliveryView, LimitView, RotationView, TargetView
from rotator.cli.failure import plain
from rotator.cli.words import LOOKS, Life, forecast, left_of, life, needs, outage, placed, pullable, span, upcoming

TABLE_COLUMNS = 78
"""A narrower terminal gets blocks of lines."""
BAR_CHARS = 8
MAX_NEEDS = 20


def draw_all(credentials: Sequence[CredentialView], now: datetime, console: Console) -> RenderableType:
    """Return a table of ``credentials`` and a sentence on each that needs a person."""
    if not credentials:
        return Text("No credential is configured.")
    fits = console.width >= TABLE_COLUMNS
    body = _table(credentials, now, console) if fits else _blocks(credentials, now, console)
    return Group(body, Text(), *_needs(credentials), *_privileges(credentials))


def draw_one(credential: CredentialView, now: datetime, console: Console) -> RenderableType:
    """Return one credential in detail, with the placements that are behind."""
    lines: list[RenderableType] = [*_block(credential, now, console)]
    lines += [_fact("registry", f"{credential.registry} ({credential.provider})")]
    lines += [_fact("message", credential.message)]
    if credential.held:
        lines.append(_fact("held back", credential.held))
    if sentence := outage(credential, now):
        lines.append(_fact("outage", sentence))
    if credential.last_success_at is not None:
        lines.append(_fact("last success", f"{span(now - credential.last_success_at)} ago"))
    lines += [_rotation(word, one) for word, one in (("running", credential.running), ("last", credential.last)) if one]
    lines += [line for target in credential.targets for line in _target(target)]
    if credential.withdrawn:
        text = f"generation {credential.withdrawn} was taken back; rotator versions {credential.name} shows what serves"
        lines.append(_fact("withdrawn", text))
    lines += [_fact("old version", f"generation {one.generation} is not dead yet: {one.why}") for one in credential.old]
    lines += [_fact("image", f"{one.id}: {pullable(one, now)}") for one in credential.images]
    lines += _rights(credential)
    sentence = needs(credential)
    return Group(*lines, Text(), Text(plain(sentence) if sentence else "Nothing needs you."))


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


def _table(credentials: Sequence[CredentialView], now: datetime, console: Console) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("credential", overflow="fold", min_width=8)
    for title in ("health", "life", "gen", "placed", "next"):
        table.add_column(title, no_wrap=True, justify="right" if title == "gen" else "left")
    for one in credentials:
        table.add_row(
            Text(plain(one.name)),
            _health(one, console),
            _life(life(one, now), console),
            Text(str(one.generation or "-")),
            Text(placed(one)),
            Text(upcoming(one, now)),
        )
    return table


def _blocks(credentials: Sequence[CredentialView], now: datetime, console: Console) -> Group:
    return Group(*(line for one in credentials for line in _block(one, now, console)))


def _block(credential: CredentialView, now: datetime, console: Console) -> Iterator[Text]:
    yield Text.assemble(Text(plain(credential.name), style="bold"), "  ", _health(credential, console))
    yield _fact("life", _life(life(credential, now), console))
    yield _fact("generation", str(credential.generation or "-"))
    yield _fact("placed", placed(credential))
    yield _fact("next", upcoming(credential, now))


def _health(credential: CredentialView, console: Console) -> Text:
    look = LOOKS[credential.health]
    symbol = look.symbol if _has_unicode(console) else look.plain_symbol
    return Text(f"{symbol} {credential.health}", style=look.style)


def _life(left: Life, console: Console) -> Text:
    if left.left is None:
        return Text(f"{'':{BAR_CHARS}} {left.text}")
    full, empty = ("\N{FULL BLOCK}", "\N{LIGHT SHADE}") if _has_unicode(console) else ("#", ".")
    filled = round(left.left * BAR_CHARS)
    style = "red" if filled <= 1 else "green"
    return Text.assemble((full * filled, style), empty * (BAR_CHARS - filled), f" {left.text}")


def _has_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _needs(credentials: Sequence[CredentialView]) -> Iterator[Text]:
    sentences = [sentence for one in credentials if (sentence := needs(one))]
    if not sentences:
        yield Text("Nothing needs you.")
        return
    count = len(sentences)
    yield Text(f"{count} of {len(credentials)} need{'s' if count == 1 else ''} a look:", style="bold")
    for sentence in sentences[:MAX_NEEDS]:
        yield Text(f"- {plain(sentence)}")
    if count > MAX_NEEDS:
        yield Text(f"- and {count - MAX_NEEDS} more")


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


def _target(target: TargetView) -> Iterator[Text]:
    optional = "" if target.required else ", not required"
    yield _fact("target", f"{target.target} ({target.kind}{optional}): {target.confirmed} of {target.placements}")
    if target.error:
        yield _fact("", f"could not be asked: {target.error}")
    for placement in target.policy:
        yield _fact("", f"policy keeps it from {placement}")
    if target.refused > len(target.policy):
        yield _fact("", f"and from {target.refused - len(target.policy)} more")
    for delivery in target.behind:
        yield _fact("", _behind(delivery))


def _behind(delivery: DeliveryView) -> str:
    holds = f"holds generation {delivery.confirmed_generation}" if delivery.confirmed_generation else "holds none"
    why = f": {delivery.message}" if delivery.message else ""
    return f"{delivery.placement} {holds}, tried {delivery.attempts} times{why}"


def _fact(word: str, value: Text | str) -> Text:
    return Text.assemble((f"  {word:<13}", "dim"), value if isinstance(value, Text) else plain(value))
