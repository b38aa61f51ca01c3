"""Transaction workloads: TPC-B, YCSB, SmallBank and a TPC-C-like mix, driven by pgbench."""

from workloads.oltp.smallbank import smallbank_workload
from workloads.oltp.tpcb import tpcb_workload
from workloads.oltp.tpcc import tpcc_workload
from workloads.oltp.ycsb import ycsb_workload

__all__ = [
    "smallbank_workload",
    "tpcb_workload",
    "tpcc_workload",
    "ycsb_workload",
]
