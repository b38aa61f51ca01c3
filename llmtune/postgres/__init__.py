"""Reaching a PostgreSQL server: targets, settings, loading, statistics and plans."""
