"""A TPC-C-like mix: wholesale orders over nine tables."""

from workloads.oltp.tpcc.workload import tpcc_workload

__all__ = ["tpcc_workload"]
