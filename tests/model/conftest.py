"""A language model small enough to be made in the tests, and its tokenizer."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from datagen.pairs import Pair
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.model.checkpoint import BaseModel, find_base_model
from llmtune.model.tokens import TokenCodec, load_codec
from llmtune.postgres.profile import Profile
from llmtune.postgres.what_if import WhatIfFeatures
from optimizers.rules import WorkloadType

KNOBS = ("shared_buffers", "work_mem", "random_page_cost", "max_parallel_workers_per_gather")


@dataclass(frozen=True)
class Staged:
    """A stage that is made of its parts; without features there is no server."""

    space: KnobSpace
    profile: Profile
    features: WhatIfFeatures | None = None

    @property
    def whole(self) -> KnobSpace:
        return self.space

    @property
    def busy(self) -> int:
        return self.profile.clients

    @property
    def workload_type(self) -> WorkloadType:
        return WorkloadType.WAREHOUSE

    @property
    def storage(self) -> None:
        return None

    def what_if_features(self) -> WhatIfFeatures | None:
        return self.features


def tiny_tokenizer() -> Tokenizer:
    """Bytes, and one token for each label and some words with a space in front."""
    vocabulary = {letter: index for index, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    merges = []
    for word in (*"ABCDEFGHIJKL", "default", "work", "mem"):
        for end in range(len(word)):
            start = "Ġ" + word[:end]
            merges.append((start, word[end]))
            vocabulary.setdefault(start + word[end], len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocabulary, list(dict.fromkeys(merges))))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.fixture(scope="session")
def space() -> KnobSpace:
    whole = resolve_space(load_catalogue(), 18, Hardware(cores=2, memory=1 << 30))
    return whole.subset(KNOBS)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tiny_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return find_base_model(folder)


@pytest.fixture(scope="session")
def tiny_model(tiny: BaseModel) -> LlamaForCausalLM:
    """In float32, so that two ways to compute one number agree closely."""
    return LlamaForCausalLM.from_pretrained(tiny.path, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def codec(tiny: BaseModel, space: KnobSpace) -> TokenCodec:
    return load_codec(tiny, space)


@pytest.fixture(scope="session")
def pairs(codec: TokenCodec) -> tuple[Pair, ...]:
    """Prompts of two kinds, whose labels follow from the kind alone."""
    generator = random.Random(5)  # noqa: S311 - no secret
    kinds = {"scan": "A", "join": "B"}

    def pair() -> Pair:
        kind = generator.choice(sorted(kinds))
        noise = "".join(generator.choices("0123456789 ", k=generator.randint(5, 30)))
        lines = [f"{knob.name}: {kinds[kind]}\n" for knob in codec.knobs[:-1]]
        lines.append(f"{codec.knobs[-1].name}: default\n")
        return Pair(f"{kind} {noise}\n", "".join(lines), {"kind": kind})

    return tuple(pair() for _ in range(48))


@pytest.fixture
def other_base(tiny: BaseModel) -> BaseModel:
    return replace(tiny, sha256="0" * 64, name="other")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "adapter"
