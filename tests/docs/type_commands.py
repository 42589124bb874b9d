"""Runs ``rotator`` commands, each in a process of its own that need not import everything again.

One JSON list of words per line of standard input; one JSON list of exit code and output per line of standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import tempfile

from rotator import cli
from rotator.cli.main import main


def run(words: list[str]) -> tuple[int, str]:
    """Return how ``rotator`` ends with these words, and what it says on either output."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            sys.argv = ["rotator", *words]
            main()
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


for module in pkgutil.iter_modules(cli.__path__):
    importlib.import_module(f"rotator.cli.{module.name}")
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
