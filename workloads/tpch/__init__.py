"""TPC-H: decision support over eight tables, at any scale factor."""

from workloads.tpch.workload import tpch_workload

__all__ = ["tpch_workload"]
