"""The seam to what configurations are suggested for: its knobs, its workload, its plans."""

from __future__ import annotations

from typing import Protocol

from llmtune.knobs.space import KnobSpace
from llmtune.knobs.storage import Storage
from llmtune.postgres.profile import Profile
from llmtune.postgres.what_if import WhatIfFeatures
from optimizers.rules import WorkloadType


class Stage(Protocol):
    """A server with a workload, or a recording of one."""

    @property
    def space(self) -> KnobSpace:
        """The knobs that the workload responds to."""
        ...

    @property
    def whole(self) -> KnobSpace:
        """All knobs that can be changed."""
        ...

    @property
    def busy(self) -> int:
        """Sessions whose memory must suffice."""
        ...

    @property
    def workload_type(self) -> WorkloadType:
        """As the rules tell them apart."""
        ...

    @property
    def storage(self) -> Storage | None:
        """What the server's data lie on; None: not known."""
        ...

    @property
    def profile(self) -> Profile:
        """Of the workload, under the default settings."""
        ...

    def what_if_features(self) -> WhatIfFeatures | None:
        """What plans show of the workload under a configuration; None: there is no server to ask.

        Plans the workload once.
        """
        ...


def type_of_queries(profile: Profile) -> WorkloadType:
    """A data warehouse's, unless some of the queries write."""
    return WorkloadType.WAREHOUSE if profile.kind == "analytic" else WorkloadType.MIXED
