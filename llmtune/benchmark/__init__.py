"""The only place that measures: a workload under a configuration gives a trial."""
