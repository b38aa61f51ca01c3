"""Transaction workloads: TPC-B, YCSB, SmallBank and a TPC-C-like mix, driven by pgbench."""

from workloads.oltp.smallbank import smallbank_workload
from workloads.oltp.tpcb import tpcb_workload
from workloads.oltp.tpcc import tpcc_workload
from workloads.oltp.ycsb import YCSB_LETTERS, ycsb_workload

__all__ = [
    "YCSB_LETTERS",
    "smallbank_workload",
    "tpcb_workload",
    "tpcc_workload",
    "ycsb_workload",
]
