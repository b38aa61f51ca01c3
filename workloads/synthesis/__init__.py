"""New analytic queries for any schema, drawn from what its statistics tell."""

from workloads.synthesis.facts import Column, Family, Join, Relation, SchemaFacts, Step, Value
from workloads.synthesis.query import Draft, draw_query

__all__ = [
    "Column",
    "Draft",
    "Family",
    "Join",
    "Relation",
    "SchemaFacts",
    "Step",
    "Value",
    "draw_query",
]
