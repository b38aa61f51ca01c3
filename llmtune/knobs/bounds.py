"""Bounds as expressions over the hardware, such as `"max(64*kB, ram/8192)"`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TypeAlias

from llmtune.knobs.hardware import Hardware

Bound: TypeAlias = int | float | str
"""A number, or an expression over `ram` (bytes), `cores`, kB, MB, GB, min and max."""

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max}


def evaluate(bound: Bound, hardware: Hardware) -> float:
    """The bound's number on this hardware: bytes where it is made of `ram` or kB, MB, GB.

    Raises:
        ValueError: the expression uses anything that a bound may not.
    """
    if not isinstance(bound, str):
        return float(bound)
    names = {
        "ram": float(hardware.memory),
        "cores": float(hardware.cores),
        "kB": float(1 << 10),
        "MB": float(1 << 20),
        "GB": float(1 << 30),
    }
    return _value(ast.parse(bound, mode="eval").body, names)


def _value(node: ast.expr, names: dict[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATORS:
            return _OPERATORS[type(operation)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
    raise ValueError(f"a bound may not contain {ast.unparse(node)!r}")
