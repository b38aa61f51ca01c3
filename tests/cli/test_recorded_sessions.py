"""What the processes of a recorded comparison find when they start."""

import os
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from threadpoolctl import threadpool_info

from llmtune.cli.recorded_sessions import THREADS, one_thread


def test_a_process_has_one_thread_also_in_what_it_loads_first(monkeypatch) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, "2")
    # The initializer stands for whatever unpickling a worker's arguments loads.
    with (
        one_thread(),
        ProcessPoolExecutor(1, get_context("spawn"), import_module, ("numpy",)) as pool,
    ):
        found = pool.submit(threadpool_info).result()
    assert {one["num_threads"] for one in found} == {1}
    assert [os.environ[name] for name in THREADS] == ["2", "2", "2"]


def test_variables_that_were_not_set_are_not_set_afterwards(monkeypatch) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    with one_thread():
        assert {os.environ[name] for name in THREADS} == {"1"}
    assert not set(THREADS) & set(os.environ)
