"""What to run: workloads, their queries and their data sets."""
