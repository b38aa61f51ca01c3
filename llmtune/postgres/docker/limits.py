"""What a container may use of its engine's machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmtune.errors import UsageError
from llmtune.knobs.hardware import SMALLEST_MEMORY, Hardware
from llmtune.postgres.docker.engine import engine_errors

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, slots=True)
class Limits:
    """A container's limits.

    Attributes:
        hardware: what the server may use: the limits, or the machine's where there are none.
        cores: None means no limit.
        memory: bytes, file cache included; None means no limit.
    """

    hardware: Hardware
    cores: int | None = None
    memory: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """docker-py's options for them.

        Swap does not extend the limit. Parallel queries share memory in /dev/shm,
        where docker's own 64 MB would fail them; what they use counts as memory.
        """
        options: dict[str, Any] = {"shm_size": self.hardware.memory}
        if self.cores is not None:
            options["nano_cpus"] = self.cores * 10**9
        if self.memory is not None:
            options |= {"mem_limit": self.memory, "memswap_limit": self.memory}
        return options


def container_limits(engine: DockerClient, cores: int | None, memory: int | None) -> Limits:
    """Check the limits that were asked for against the engine's machine.

    Args:
        memory: bytes.

    Raises:
        UsageError: more cores or memory than there are, or too little.
    """
    with engine_errors("ask the Docker engine what its machine has"):
        machine = engine.info()
    most_cores, most_memory = machine["NCPU"], machine["MemTotal"]
    if cores is not None and not 1 <= cores <= most_cores:
        raise UsageError(
            f"cores must be from 1 to {most_cores} on the Docker engine's machine, not {cores}"
        )
    if memory is not None and not SMALLEST_MEMORY <= memory <= most_memory:
        raise UsageError(
            f"the server's memory must be from 64 MiB to {most_memory >> 20} MiB "
            f"on the Docker engine's machine, not {memory} bytes"
        )
    return Limits(Hardware(cores or most_cores, memory or most_memory), cores, memory)
