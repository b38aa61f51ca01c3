"""What to run: workloads, their queries and their data sets.

To add one: a folder with a function from `WorkloadOptions` to a `Workload` or a
`TransactionMix`, and an entry in `entries.py` that names the function, what it needs,
its default scale and the options that mean something to it.
"""
