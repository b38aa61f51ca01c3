"""The user's own workload: a `.sql` file, or a folder of them."""

from workloads.sqlfiles.workload import is_sql_path, sql_text, sqlfiles_workload

__all__ = ["is_sql_path", "sql_text", "sqlfiles_workload"]
