"""Random numbers that come out equal when a run is repeated, resumed, or its data loaded by other processes.

Built in chapter 06.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, those of the GPUs included.

    Raises:
        ValueError: the seed is not in 0..2**32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected a whole number from 0 to 2**32 - 1, got {seed}.")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def derived_seed(*numbers: int) -> int:
    """A seed, 0..2**32 - 1, for a part of a run, such as (seed, epoch). No sum: (0, 1) and (1, 0) differ."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def random_states() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators, in types that `weights_only=True` reads."""
    name, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Put back what `random_states` gave; the GPUs' states only where there are as many GPUs as then."""
    name, keys, *rest = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


class SeededSamples(Dataset):
    """`dataset` with random transforms that draw by (seed, epoch, index) alone, whichever process loads it.

    Left alone, they would draw from a generator that each worker process has its own copy of.
    """

    def __init__(self, dataset: Dataset, seed: int = 0, epoch: int = 0) -> None:
        self.dataset, self.seed, self.epoch = dataset, seed, epoch

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        with _seeded(derived_seed(self.seed, self.epoch, index)):
            return self.dataset[index]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # The CPU's generators only: no transform runs on a GPU, and a worker process must not touch one.
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
