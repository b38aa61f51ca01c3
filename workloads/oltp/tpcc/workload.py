"""The TPC-C-like mix as a workload.

What it simplifies: clients have no keying or thinking times; all stock and all payments
are the home warehouse's; a transaction's statements work on whole sets, so that an order's
lines take two statements; a delivery is one statement for all its districts and runs at
once, not deferred; the data are simplified as `data` says. Its figures are none of the
benchmark's: it is for tuning.
"""

from __future__ import annotations

from workloads.oltp.mix import choices, transaction_mix
from workloads.oltp.tpcc.data import Size, tpcc_data_set
from workloads.oltp.tpcc.transactions import kinds, typical
from workloads.options import WorkloadOptions
from workloads.workload import TransactionMix

DEFAULT_SCALE = 4.0


def tpcc_workload(options: WorkloadOptions) -> TransactionMix:
    """The five transactions over `scale` warehouses.

    Raises:
        UsageError: an objective that it does not have, or a value out of range.
    """
    chosen = choices("tpcc", options, DEFAULT_SCALE)
    size = Size.of(chosen.scale)
    return transaction_mix("tpcc", chosen, kinds(size), typical(size), tpcc_data_set(chosen.scale))
