"""Sources: where secrets are read. One file per kind, named in one table.

Law of this layer: a source only reads, and reading may be repeated; "nothing is there" is an error, never an empty
value; every call ends within its own deadline; only `rotator.errors` leave, without the value in the text; a revision
never is a bare hash of a secret. Kinds do not know each other.
"""

from __future__ import annotations

SOURCES: dict[str, str] = {
    "vault": "rotator.sources.vault:VaultSource",
    "file": "rotator.sources.file:FileSource",
    "env": "rotator.sources.env:EnvSource",
}
"""Word in the configuration to ``module:Class``; a class is imported when it is first used."""
