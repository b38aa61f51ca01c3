"""LLMTune: knob tuning for PostgreSQL that starts from a language model's first guess."""

__version__ = "0.1.0"
