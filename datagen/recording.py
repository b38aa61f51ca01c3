"""A matrix as a recording, which can be asked again without a server."""

from __future__ import annotations

from datagen.matrix import Matrix
from llmtune.benchmark.recording import Recording
from llmtune.postgres.profile import Profile

KNOB = "knob."
"""How the names of those features begin that are a knob's position."""


def recording_of(matrix: Matrix) -> Recording:
    """What a matrix says of its base workload.

    Raises:
        DatasetError: too little was measured.
    """
    header = matrix.header
    profile = Profile.from_json(header.profile)
    weights = {query.query_id: query.weight for query in profile.queries}
    return Recording(
        name=header.data_set,
        server_version=header.server_version,
        hardware=profile.hardware,
        catalogue_hash=header.catalogue_hash,
        code_version=header.code_version,
        knobs=tuple(
            name.removeprefix(KNOB) for name in header.feature_names if name.startswith(KNOB)
        ),
        profile=header.profile,
        query_ids=matrix.query_ids,
        weights=tuple(weights.get(query_id, 1.0) for query_id in matrix.query_ids),
        changes=tuple(run.changes for run in matrix.runs),
        seconds=matrix.seconds,
    )
