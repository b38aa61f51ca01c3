"""What safety costs: `python benchmarks/safety_figures.py`, on a quiet machine.

Applying and reading back 40 reloadable and session knobs, every one of them altered on the
server; and restarts of a live server beside bare `pg_ctl restart` and `docker restart`. A
container is measured where `--image` names an image of PostgreSQL and an engine answers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.docker.engine import connect_engine, find_container
from llmtune.postgres.docker.target import DockerTarget
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.settings import SettingsApplier

KNOBS = 40
UNITS = (0.3, 0.7)
"""Two places on every knob's scale, so that each apply changes each knob."""


def main(rounds: int, image: str | None) -> None:
    with live() as (server, target):
        print_seconds(f"apply and read back {KNOBS} knobs", times(appliers(target), rounds))
        restarter = PgCtlRestarter(server.data_folder)
        compare("pg_ctl restart", restarter.restart, target.restart, rounds)
    if image:
        with DockerTarget(image) as container:
            compare("docker restart", docker_restart(container), container.restart, rounds)


@contextmanager
def live() -> Iterator[tuple[EmbeddedTarget, DsnTarget]]:
    """A server, and the same behind its address, restarted by `pg_ctl`."""
    with EmbeddedTarget() as server:
        with server.connect() as connection:
            row = connection.execute("SHOW unix_socket_directories").fetchone()
        address = f"postgresql://postgres@/postgres?host={row[0] if row else ''}"
        restarter = PgCtlRestarter(server.data_folder)
        with DsnTarget(address, server.hardware, restarter) as target:
            yield server, target


def appliers(target: DsnTarget) -> Callable[[], object]:
    """A function that puts the next of two configurations in force on the server itself."""
    space = reloadable(target)
    applier = SettingsApplier(target, space, lasting=True)
    places = [space.configuration({k.name: k.at(u) for k in space.knobs}) for u in UNITS]
    turn = iter(range(10**6))
    return lambda: applier.apply(places[next(turn) % 2])


def reloadable(target: DsnTarget) -> KnobSpace:
    space = target.tunable(resolve_space(load_catalogue(), target.version, target.hardware))
    names = [knob.name for knob in space.knobs if knob.effect is not Effect.RESTART]
    return space.subset(names[-KNOBS:])


def docker_restart(target: DockerTarget) -> Callable[[], object]:
    """The container's own restart, until the server answers as after ours."""

    def restart() -> None:
        with closing(connect_engine()) as engine:
            container = find_container(engine, target.container_name)
            container.restart(timeout=60)
            while container.exec_run(["pg_isready", "--quiet"]).exit_code != 0:
                time.sleep(0.01)

    return restart


def compare(name: str, bare: Callable[[], object], ours: Callable[[], object], rounds: int) -> None:
    """Time both in turns."""
    pairs = [(seconds(bare), seconds(ours)) for _ in range(rounds)]
    print_seconds(f"bare {name}", [one for one, _ in pairs])
    print_seconds(f"{name} by LLMTune", [one for _, one in pairs])
    ratio = statistics.median(one for _, one in pairs) / statistics.median(o for o, _ in pairs)
    print(f"{name}: {ratio:.2f} times the bare one")


def times(action: Callable[[], object], rounds: int) -> list[float]:
    return [seconds(action) for _ in range(rounds)]


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def print_seconds(name: str, values: list[float]) -> None:
    print(f"{name}: median {statistics.median(values):.3f} s, longest {max(values):.3f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", help="of PostgreSQL, to measure a container too")
    given = parser.parse_args()
    main(given.rounds, given.image)
