"""Knob spaces for the laws: any supported version on any reasonable hardware."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space

# A busy machine is no defect: laws have no deadline.
settings.register_profile("llmtune", deadline=None)
settings.load_profile("llmtune")

GIB = 1 << 30


@pytest.fixture(scope="session")
def hardwares() -> st.SearchStrategy[Hardware]:
    """From a small container to a large server, powers of two and odd sizes."""
    exponents = st.floats(26, 41)
    return st.builds(
        Hardware,
        cores=st.integers(1, 256),
        memory=st.one_of(exponents.map(lambda e: int(2**e)), st.just(GIB), st.just(24 * GIB)),
    )


@pytest.fixture(scope="session")
def spaces(hardwares: st.SearchStrategy[Hardware]) -> st.SearchStrategy[KnobSpace]:
    """Complete knob spaces, durability knobs included."""
    return st.builds(
        lambda version, hardware: resolve_space(
            load_catalogue(), version, hardware, durability=True
        ),
        st.integers(14, 18),
        hardwares,
    )


@pytest.fixture
def space() -> KnobSpace:
    """PostgreSQL 18 on two cores and one GiB."""
    return resolve_space(load_catalogue(), 18, Hardware(2, GIB))
