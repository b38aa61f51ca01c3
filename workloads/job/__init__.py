"""The Join Order Benchmark: 113 join queries over the IMDb."""

from workloads.job.workload import job_queries, job_workload

__all__ = ["job_queries", "job_workload"]
