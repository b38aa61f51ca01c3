"""What the server may use: cores and memory, container limits respected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hardware:
    """Cores and bytes of memory that the *server* may use."""

    cores: int
    memory: int

    def __post_init__(self) -> None:
        if self.cores < 1:
            raise ValueError(f"cores must be at least 1, not {self.cores}")
        if self.memory < 64 << 20:
            raise ValueError(f"memory must be at least 64 MiB, not {self.memory} bytes")
