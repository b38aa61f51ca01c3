"""Star Schema Benchmark: TPC-H's rows as one fact table and four dimensions."""

from workloads.ssb.workload import ssb_workload

__all__ = ["ssb_workload"]
