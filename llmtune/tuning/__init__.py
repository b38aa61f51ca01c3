"""The tuning session: loop, journal, confirmation, pruning and restore."""
