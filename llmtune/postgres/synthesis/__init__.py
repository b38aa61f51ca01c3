"""Synthesis of new queries over a live database: read its facts, draw, prove."""

from llmtune.postgres.synthesis.schema_facts import read_facts
from llmtune.postgres.synthesis.synthesize import Limits, Synthesized, synthesize

__all__ = ["Limits", "Synthesized", "read_facts", "synthesize"]
