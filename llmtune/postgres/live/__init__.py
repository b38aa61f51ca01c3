"""A server that is not ours: what can be done with it, and restarting it when allowed."""
