"""What observing costs a server: `python benchmarks/observe_load.py 5000 60`.

A server with so many counted statements works as fast as two sessions can ask, while
a window of so many seconds is watched. The cost is the share of our statement in the
time of all, as the server itself counts it.
"""

from __future__ import annotations

import sys
import threading

from llmtune.benchmark.observe_window import Length, watch
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.traffic_reader import TrafficReader

SESSIONS = 2
COUNTED = """
    SELECT sum(calls) FILTER (WHERE ours)::int, sum(total_exec_time) FILTER (WHERE ours),
           sum(total_exec_time), count(*)
    FROM (SELECT *, query LIKE '%info.dealloc%' AS ours FROM pg_stat_statements) AS statements
"""


def main(statements: int, seconds: float) -> None:
    with EmbeddedTarget() as server:
        prepare(server, statements)
        stop = threading.Event()
        workers = [threading.Thread(target=work, args=(server, stop)) for _ in range(SESSIONS)]
        for one in workers:
            one.start()
        calls, ours, everything, counted = observe(server, seconds)
        stop.set()
        for one in workers:
            one.join()
        with server.connect() as connection:
            connection.execute("DROP EXTENSION pg_stat_statements")
    print(
        f"{counted} statements counted; {calls} looks in {seconds:g} s, {ours / calls:.2f} ms each"
    )
    print(f"{ours / everything:.3%} of the time of all statements")


def prepare(server: EmbeddedTarget, statements: int) -> None:
    with server.connect() as control:
        control.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        control.execute(
            f"ALTER SYSTEM SET pg_stat_statements.max = {2 * statements + 100}".encode()
        )
    server.restart()
    with server.connect() as control:
        control.execute("CREATE EXTENSION pg_stat_statements")
        for number in range(statements):
            # Statements differ by their structure alone: constants are taken out.
            path = "".join(" + 1" if digit == "1" else " - 1" for digit in f"{number:b}")
            control.execute(f"SELECT 0{path}".encode())


def work(server: EmbeddedTarget, stop: threading.Event) -> None:
    with server.connect() as session:
        while not stop.is_set():
            session.execute("SELECT count(*) FROM pg_class JOIN pg_attribute ON oid = attrelid")


def observe(server: EmbeddedTarget, seconds: float) -> tuple[int, float, float, int]:
    """Our looks, their milliseconds, those of all statements, and how many there are."""
    with server.connect() as connection, server.connect() as judge:
        reader = TrafficReader(connection)
        before = judge.execute(COUNTED).fetchone()
        watch(reader, reader.snapshot(), Length(seconds, 1), lambda _: None)
        after = judge.execute(COUNTED).fetchone()
    assert before is not None
    assert after is not None
    return after[0] - before[0], after[1] - before[1], after[2] - before[2], after[3]


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 5000, float(given[1]) if len(given) > 1 else 60.0)
