"""A variant as SQL."""

from __future__ import annotations

from workloads.job.graph import Combination, Comparison, Family, Filter, Value, Variant


def render(family: Family, variant: Variant) -> str:
    """The query of `variant` on the graph of `family`."""
    outputs = ", ".join(f"MIN({alias}.{name})" for alias, name in variant.outputs)
    relations = ",\n     ".join(f"{table} AS {alias}" for table, alias in family.relations)
    joins = [f"{'.'.join(left)} = {'.'.join(right)}" for left, right in family.edges()]
    conditions = "\n  AND ".join([*joins, *map(_condition, variant.filters)])
    return f"SELECT {outputs}\nFROM {relations}\nWHERE {conditions}"


def _condition(part: Filter) -> str:
    if isinstance(part, Combination):
        return f"({f' {part.word} '.join(map(_condition, part.filters))})"
    return " ".join([".".join(part.column), part.operator, *_operand(part)])


def _operand(comparison: Comparison) -> list[str]:
    literals = [_literal(value) for value in comparison.values]
    if comparison.operator == "IN":
        return [f"({', '.join(literals)})"]
    return [" AND ".join(literals)] if literals else []


def _literal(value: Value) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
