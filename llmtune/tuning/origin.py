"""Where a session came from: what it needs to go on, and what tells it from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.knobs.storage import Storage
from llmtune.postgres.live.address import without_secrets
from llmtune.tuning.ground import Ground
from llmtune.tuning.requests import RestartRequest, TargetRequest, WorkloadRequest
from llmtune.tuning.server_facts import NO_RISKS, Risks
from workloads.digest import digest
from workloads.entries import SQL_FILES
from workloads.options import WorkloadOptions
from workloads.registry import entry
from workloads.workload import AnyWorkload, TransactionMix, Workload

OPTIONS = tuple(one.name for one in fields(WorkloadOptions))

STARTS: Mapping[str, str] = {
    "adapter": "adapter",
    "training_set.parquet": "training set",
    "measurements.parquet": "measurements",
    "warm_start_file": "file",
}
"""The names of `Origin.starts`, and what each is for people."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What whoever started a session keeps with it.

    What a session does not tell, as it was made before that was kept or is of another kind,
    is None or missing.

    Attributes:
        target: how its target is opened again; holds no password.
        workload: a name or the full path of files.
        options: of the workload, as JSON values by the fields of `WorkloadOptions`.
        queries: the digest of those that it measures.
        run_s: seconds that one timed run of a transaction mix lasts.
        windows: how it watches a server's traffic, if it does.
        ground: where its search of a server that runs already begins.
        starts: digests of what its warm start came from; see `STARTS`.
        notes: what people must know to read its values.
        recording: the name of a recording that it asked in a server's place, and the SHA-256
            (hex) of its times.
        out: the folder for the result of a session of `llmtune tune`; others have none.
        risks: what the user accepted.
        apply: its answer was to stay in force.
    """

    target: TargetRequest | None = None
    workload: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    queries: str | None = None
    run_s: float | None = None
    windows: WindowOptions | None = None
    ground: Ground | None = None
    starts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    recording: tuple[str, str] | None = None
    out: Path | None = None
    risks: Risks = NO_RISKS
    apply: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the session store keeps it; what it does not tell is left out."""
        told: dict[str, Any] = {}
        if self.target is not None:
            told |= _target_json(self.target)
        if self.workload is not None:
            told["workload"] = self.workload
        told |= self.options
        if self.queries is not None or self.run_s is not None:
            told["query_digest"] = self.queries  # None: of a transaction mix
        if self.run_s is not None:
            told["run_s"] = self.run_s
        if self.windows is not None:
            told["observe"] = asdict(self.windows)
        if self.recording is not None:
            told["recorded"], told["seconds_sha256"] = self.recording
        if self.ground is not None:
            told |= asdict(self.ground)
        told |= self.starts
        if self.notes:
            told["notes"] = list(self.notes)
        if self.out is not None:
            told |= {"out": str(self.out), "risks": asdict(self.risks), "apply": self.apply}
        return told

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Origin:
        """The origin that `to_json` wrote, now or in an earlier version.

        Raises:
            KeyError, TypeError: a part is not whole, or has what is unknown to this version.
        """
        windows, recorded = stored.get("observe"), stored.get("recorded")
        return cls(
            target=_target(stored) if "target" in stored else None,
            workload=stored.get("workload"),
            options={name: stored[name] for name in OPTIONS if name in stored},
            queries=stored.get("query_digest"),
            run_s=stored.get("run_s"),
            windows=None if windows is None else WindowOptions(**windows),
            ground=Ground(stored["baseline"], stored["bounds"]) if "baseline" in stored else None,
            starts={name: stored[name] for name in STARTS if name in stored},
            notes=tuple(stored.get("notes", ())),
            recording=None if recorded is None else (recorded, stored["seconds_sha256"]),
            out=_path(stored.get("out")),
            risks=Risks(**stored.get("risks", {})),
            apply=stored.get("apply", False),
        )

    @property
    def raw_times(self) -> bool | None:
        """Whether the machine's changing pace was left in its times."""
        return self.options.get("raw_times")

    @property
    def timed_run_s(self) -> float | None:
        """Seconds that one timed run of a transaction mix lasts, as far as is known."""
        return self.options.get("duration_s") if self.run_s is None else self.run_s

    def workload_options(self) -> WorkloadOptions:
        """The options of the workload, as it is opened again.

        Raises:
            KeyError: it does not tell one of them.
        """
        # Sessions from before the pace was known measured raw times.
        told = {"raw_times": True, **self.options}
        given = {name: told[name] for name in OPTIONS}
        given["data"] = _path(given["data"])
        return WorkloadOptions(**given)


def origin_of(target: TargetRequest, workload: WorkloadRequest) -> Origin:
    """How these can be opened again, from any folder; a password is left out."""
    way, options = target.restart, workload.options
    return Origin(
        target=replace(
            target,
            target=without_secrets(target.target),
            bindir=_absolute(target.bindir),
            restart=replace(way, pgdata=_absolute(way.pgdata)),
        ),
        workload=_from_anywhere(workload.name),
        options={**asdict(options), "data": _text(options.data)},
    )


def measured_origin(
    target: TargetRequest, request: WorkloadRequest, measured: AnyWorkload
) -> Origin:
    """What a session needs to go on: its requests, and what it measures for how long."""
    origin = replace(origin_of(target, request), queries=query_digest(measured))
    if isinstance(measured, TransactionMix):  # the user may have left the seconds to it
        return replace(origin, run_s=measured.duration_s)
    return origin


def query_digest(measured: AnyWorkload) -> str | None:
    """Of a workload's queries; None: a transaction mix always is what its name says."""
    return digest(measured.queries) if isinstance(measured, Workload) else None


def _target_json(target: TargetRequest) -> dict[str, Any]:
    """Storage only where the user said it: a comparison finds its sessions of before again."""
    storage = {} if target.storage is None else {"storage": target.storage.value}
    return {
        **storage,
        "target": target.target,
        "cores": target.cores,
        "memory": target.memory,
        "bindir": _text(target.bindir),
        "image": target.image,
        "restart": {**asdict(target.restart), "pgdata": _text(target.restart.pgdata)},
    }


def _target(stored: Mapping[str, Any]) -> TargetRequest:
    """Sessions from before the docker target have no image, and older ones no restart."""
    way = dict(stored.get("restart", {}))
    way["pgdata"] = _path(way.get("pgdata"))
    return TargetRequest(
        stored["target"],
        stored.get("cores"),
        stored.get("memory"),
        _path(stored.get("bindir")),
        RestartRequest(**way),
        stored.get("image"),
        storage=Storage(stored["storage"]) if "storage" in stored else None,
    )


def _from_anywhere(workload: str) -> str:
    """The workload's name; the full path of files."""
    path = entry(workload) is SQL_FILES
    return str(Path(workload).absolute()) if path else workload


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
