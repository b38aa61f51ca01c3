"""Statements of a live database: where their parameters stand, and values from its log."""
