"""Where a session's first configurations are to come from, checked before any server runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from llmtune.errors import DatasetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.model.adapter import DEFAULT_ADAPTER, check_catalogue
from llmtune.model.ready import ModelRequest, ReadyModel, ready_model
from llmtune.model.training_set import TRAINING_SET_FILE, read_training_set
from llmtune.model.warm_start_file import WarmStartFile, read_file
from llmtune.paths import is_file

NOTHING = ("default", "none")
"""Sources that add nothing: every session measures the default first."""

OF_THE_ADAPTER = ("constant", "nearest", "surrogate")
"""Sources that use the files that came with the adapter, and no language model."""

SOURCES = ("model", "rules", *NOTHING, *OF_THE_ADAPTER)

LOOKING = ("model", "nearest", "surrogate")
"""Sources that look at the plans of statements."""


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a portfolio, checked as far as it can be without a server.

    Attributes:
        source: one of `SOURCES`, or `file`.
        model: for the source `model`.
        adapter: the folder, for the sources that use its files.
        files: the SHA-256 (hex) of what the source learns from beside weights, by name.
    """

    source: str
    model: ReadyModel | None = None
    adapter: Path | None = None
    files: tuple[tuple[str, str], ...] = ()
    file: WarmStartFile | None = None


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A portfolio: its parts' proposals in order, each configuration once.

    Attributes:
        source: as the user wrote it.
    """

    source: str
    parts: tuple[Part, ...]

    @property
    def cold(self) -> bool:
        """Whether it proposes nothing."""
        return all(part.source in NOTHING for part in self.parts)

    @property
    def has_rules(self) -> bool:
        """Whether the rules are among what it proposes; they stand behind the model alone."""
        sources = [part.source for part in self.parts]
        return "rules" in sources or sources == ["model"]

    @property
    def identity(self) -> dict[str, str]:
        """What must be the same for two sessions to have had the same warm start."""
        facts: dict[str, str] = {}
        for part in self.parts:
            if part.model is not None:
                facts["adapter"] = part.model.card.weights_sha256
            facts.update(part.files)
            if part.file is not None:
                name = "warm_start_file"
                facts[name] = "+".join(filter(None, (facts.get(name), part.file.sha256)))
        return facts

    def without_statements(self) -> WarmStart:
        """With the rules in place of what looks at statements, for where none are known."""
        if not any(part.source in LOOKING for part in self.parts):
            return self
        kept: dict[str, Part] = {}
        for name, part in zip(_names(self.source), self.parts, strict=True):
            looks = part.source in LOOKING
            kept.setdefault("rules" if looks else name, Part("rules") if looks else part)
        return WarmStart(",".join(kept), tuple(kept.values()))


def open_warm_start(source: str, model: ModelRequest, say: Callable[[str], None]) -> WarmStart:
    """Check what the user asked for, before any server is started.

    Args:
        source: `SOURCES` and JSON files of knob to value, with commas between them.
        say: told in words before anything that takes seconds.

    Raises:
        UsageError: neither a source nor a file of configurations.
        AdapterMismatch, ModelError, DatasetError: the adapter cannot be used.
    """
    parts = [_part(name, model, say) for name in _names(source)]
    return WarmStart(source, tuple(parts))


def open_warm_starts(
    sources: Iterable[str], model: ModelRequest, say: Callable[[str], None]
) -> list[WarmStart]:
    """The same for several.

    Raises:
        As `open_warm_start`.
        UsageError: the adapter or the base model is given, and none of them would look at it.
    """
    opened = [open_warm_start(source, model, say) for source in sources]
    _check_used(model, opened)
    return opened


def _check_used(model: ModelRequest, warm_starts: Iterable[WarmStart]) -> None:
    """Refuse an adapter or a base model that none of the warm starts would look at."""
    parts = [part for one in warm_starts for part in one.parts]
    asked = any(part.model is not None for part in parts)
    read = asked or any(part.adapter is not None for part in parts)
    idle = {
        "--adapter": model.adapter is not None and not read,
        "--base": model.base is not None and not asked,
    }
    useless = [option for option, one in idle.items() if one]
    if useless:
        raise UsageError(f"leave out {', '.join(useless)}: no warm start here would look at it")


def trained_on(warm_starts: Iterable[WarmStart], data_set: str) -> tuple[str, ...]:
    """A note if warm starts were learnt from the very data set that they are tried on.

    Raises:
        DatasetError: an adapter's measurements cannot be read.
    """
    learnt: dict[str, Path] = {}
    for part in (part for one in warm_starts for part in one.parts):
        folder = part.adapter if part.model is None else part.model.adapter
        if folder is not None:
            learnt[part.source] = folder
    told = [
        source
        for source, folder in learnt.items()
        if any(
            line.startswith(f"{data_set},")
            for line in read_measurements(folder / MEASUREMENTS_FILE).sources
        )
    ]
    if not told:
        return ()
    return (f"in-sample: {', '.join(told)} learnt from measurements of {data_set} itself",)


def _names(source: str) -> list[str]:
    """What stands between the commas, once each."""
    if is_file(source):  # its name may well have commas
        return [source]
    return list(dict.fromkeys(name.strip() for name in source.split(",")))


def _part(name: str, model: ModelRequest, say: Callable[[str], None]) -> Part:
    if name == "model":
        ready = ready_model(model, say)
        return Part(name, model=ready, files=_learnt_from(name, ready.adapter))
    if name in OF_THE_ADAPTER:
        adapter = model.adapter or DEFAULT_ADAPTER
        check_catalogue(adapter, load_catalogue().hash)
        if name != "surrogate":
            read_training_set(adapter / TRAINING_SET_FILE)
        return Part(name, adapter=adapter, files=_learnt_from(name, adapter))
    if name in SOURCES:
        return Part(name)
    try:
        return Part("file", file=read_file(Path(name)))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"warm start {name!r} is none of {', '.join(SOURCES)}, and no file that can "
            f"be read: {reason}"
        ) from error


def _learnt_from(source: str, adapter: Path) -> tuple[tuple[str, str], ...]:
    """Hashes, for `Part.files`: the folder's name alone would not tell a retrained adapter."""
    try:
        contents = [(name, (adapter / name).read_bytes()) for name in _FILES[source]]
    except OSError as error:
        raise DatasetError(
            f"the adapter's file {error.filename} cannot be read ({error.strerror}); train it "
            "again with `llmtune train`, which writes the file"
        ) from error
    return tuple((name, sha256(content).hexdigest()) for name, content in contents)


_FILES = {
    "model": (MEASUREMENTS_FILE,),
    "nearest": (TRAINING_SET_FILE,),
    "constant": (TRAINING_SET_FILE, MEASUREMENTS_FILE),
    "surrogate": (MEASUREMENTS_FILE,),
}
"""What each source reads of an adapter's folder, the model's weights aside."""
