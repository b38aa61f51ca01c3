"""Training data: measure many configurations, label workloads, write pairs."""
