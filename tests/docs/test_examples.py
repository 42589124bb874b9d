"""The recipes work: what they tell a contributor to write passes the contract that every adapter must keep."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"`(\"[^`]+\": [^`]+?),?`(?: in| to) `([A-Z]+)`")
APPLIED = """
from pathlib import Path
import {package}
{package}.__path__.append(str(Path(__file__).parent / "added"))
{package}.{table}.update({{{line}}})
"""
CHECKED = """
import yaml
from importlib import import_module
module = import_module("{package}.{name}")
config = next(one for one in vars(module).values() if getattr(one, "Config", None)).Config
shown = next(iter(yaml.safe_load(Path("shown.yaml").read_text()).values()))
own = set(config.__annotations__) & set(config.model_fields)
config.model_validate(shown)
print(own - set(shown) - {{"registry"}})
"""


@dataclass(frozen=True)
class Recipe:
    """One page.

    Args:
        kind: ``provider`` or ``target``.
        name: The row that it adds.
    """

    kind: str
    name: str

    @property
    def page(self) -> str:
        """What a contributor reads."""
        return (ROOT / "docs" / f"add-a-{self.kind}.md").read_text()

    @property
    def blocks(self) -> dict[str, str]:
        """The page's Python, by the file it belongs in."""
        return dict(BLOCK.findall(self.page))

    @property
    def lines(self) -> dict[str, str]:
        """The lines that the page adds to tables, by table."""
        return {table: line for line, table in LINE.findall(self.page)}


RECIPES = [
    pytest.param(Recipe("provider", "acme"), id="provider"),
    pytest.param(Recipe("target", "portal"), id="target"),
]


def apply_recipe(recipe: Recipe, folder: Path) -> None:
    """Do what the page says, in a copy of the tests; the new module is added to the installed package."""
    tests = folder / "tests" / f"{recipe.kind}s"
    tests.mkdir(parents=True)
    (folder / "added").mkdir()
    for name in ("conftest.py", f"{recipe.kind}s/conftest.py", f"{recipe.kind}s/test_contract.py"):
        (folder / "tests" / name).write_text((ROOT / "tests" / name).read_text())
    module, harness = (
        recipe.blocks[file]
        for file in (f"rotator/{recipe.kind}s/{recipe.name}.py", f"tests/{recipe.kind}s/test_contract.py")
    )
    (folder / "added" / f"{recipe.name}.py").write_text(module)
    contract = tests / "test_contract.py"
    added = f"HARNESSES.update({{{recipe.lines['HARNESSES']}}})"
    contract.write_text(f"{contract.read_text()}\n\n{harness}\n\n{added}\n")
    package, table = f"rotator.{recipe.kind}s", f"{recipe.kind}s".upper()
    text = APPLIED.format(package=package, table=table, line=recipe.lines[table])
    (folder / "conftest.py").write_text(text)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recipe_keeps_the_contract(recipe: Recipe, tmp_path: Path) -> None:
    """A contributor who copies the page's code, table line and harness passes every test of the contract."""
    apply_recipe(recipe, tmp_path)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", "-k", recipe.name, "tests"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed is not None
    assert int(passed.group(1)) >= 10, "the contract was not run"


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_reference_of_the_recipe_shows_every_option(recipe: Recipe, tmp_path: Path) -> None:
    """The lines for config/rotator.yaml load with the recipe's module and name each of its options."""
    apply_recipe(recipe, tmp_path)
    shown = textwrap.dedent(re.findall(r"^```yaml\n(.*?)^```$", recipe.page, re.MULTILINE | re.DOTALL)[0])
    (tmp_path / "shown.yaml").write_text(re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", shown, flags=re.MULTILINE))
    program = CHECKED.format(package=f"rotator.{recipe.kind}s", name=recipe.name)
    command = [
        sys.executable,
        "-c",
        (tmp_path / "conftest.py").read_text().replace("__file__", "'conftest.py'") + program,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stdout + done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recipe_is_in_the_projects_style(recipe: Recipe) -> None:
    """Neither the linter nor the formatter has anything to say about the page's module."""
    file = f"rotator/{recipe.kind}s/{recipe.name}.py"
    for command in (["check"], ["format", "--diff"]):
        run = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", file, "-"]
        done = subprocess.run(run, cwd=ROOT, input=recipe.blocks[file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) in {(0, ""), (0, "All checks passed!\n")}, done.stdout + done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recipe_is_short(recipe: Recipe) -> None:
    """The example stays one that can be read in a minute: fewer than 130 lines."""
    assert len(recipe.blocks[f"rotator/{recipe.kind}s/{recipe.name}.py"].splitlines()) < 130
