"""`Renderer`: values into HTML. Escapes everything, and fails on a name that is not there instead of leaving a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rotator import __version__
from rotator.admin.access import Caller
from rotator.page.assets import Asset

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a page is made for.

    Args:
        name: As the audit names them; empty for nobody.
        role: Their role in a word; empty for nobody.
        log_out: What the form that logs them out must carry; empty where nobody logs in.
    """

    name: str = ""
    role: str = ""
    log_out: str = ""

    @classmethod
    def of(cls, caller: Caller, log_out: str) -> Reader:
        """Return the reader that ``caller`` is."""
        return cls(caller.name, caller.role.name.lower(), log_out)


class Renderer:
    """Fills templates.

    Args:
        assets: Style, script and icon.
    """

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = {name: f"/static/{asset.name}" for name, asset in assets.items()}
        environment.globals["version"] = __version__
        self._environment = environment

    def render(self, template: str, reader: Reader, values: Mapping[str, object]) -> str:
        """Return the page. Takes time in proportion to it: call it in a thread.

        Args:
            template: Its file's name.
            reader: For whom.
            values: What it shows, by the names that the template uses.
        """
        return self._environment.get_template(template).render(reader=reader, **values)
