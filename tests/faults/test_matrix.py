"""The table of faults in the documentation names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| `(tests/[\w/]+\.py)::(\w+)(?:\[([^\]]+)\])?` \|$")
FEWEST = 25


def rows() -> list[tuple[str, str, str | None]]:
    """File, test and case of each row."""
    table = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8").split("## Faults")[1]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    found = [ROW.search(line) for line in lines]
    assert all(found), [line for line, row in zip(lines, found, strict=True) if row is None]
    return [(row[1], row[2], row[3]) for row in found if row]


def test_every_fault_has_its_test() -> None:
    for file, test, case in rows():
        text = (ROOT / file).read_text(encoding="utf-8")
        functions = [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
        assert test in functions, f"{file} has no {test}"
        assert case is None or f'"{case}"' in text, f"{file} has no case {case}"


def test_there_are_enough() -> None:
    assert len(set(rows())) >= FEWEST
