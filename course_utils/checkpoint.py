"""One file that holds a whole training run, so that a run killed anywhere goes on as if nothing had happened.

A file is written under a temporary name and then renamed, which the operating system does in one step: at
every moment the checkpoint is either the old one or the new one, never half of one. Built in chapter 06.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from zipfile import ZipFile

import torch
from torch import nn

from course_utils.seeding import random_states, set_random_states

SHOWN_DIFFERENCES = 8


class CheckpointError(Exception):
    """A checkpoint cannot be read, cannot be written, or belongs to another run."""


class Stateful(Protocol):
    """What a checkpoint keeps: a model, an optimizer, a schedule, a weighting."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


class Checkpoint:
    """A file with the states of `parts`, the history, the configuration and every random state.

    Args:
        path: the file; its folder is made where it is missing. None: nothing is kept.
        config: the run's settings, name -> number, string, None, or a list or dict of such. They are compared
            when a checkpoint is loaded: with one other setting the numbers would be those of neither run.
        parts: name -> anything with `state_dict` and `load_state_dict`.
    """

    def __init__(self, path: str | Path | None, config: Mapping[str, Any], **parts: Stateful) -> None:
        self.path = None if path is None else Path(path)
        self.config = dict(config)
        self.parts = parts

    def save(self, history: list[dict]) -> None:
        """Write the state after epoch `len(history)`.

        Raises:
            CheckpointError: the file cannot be written (the last good one is untouched).
        """
        if self.path is None:
            return
        contents = {name: part.state_dict() for name, part in self.parts.items()}
        contents |= {"structure": self._structure(), "config": self.config}
        contents |= {"epoch": len(history), "history": history, "random": random_states()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path) as file:
                torch.save(contents, file)
        except (OSError, RuntimeError) as error:
            # Of a full disk torch says no more than "enforce fail"; the OSError behind it says what it was.
            reason = error if isinstance(error, OSError) else error.__context__ or error
            kept = " The last good checkpoint is still there." if self.path.is_file() else ""
            raise CheckpointError(
                f"{self.path}: cannot write the checkpoint: {reason}.{kept} Make room, or choose a folder "
                "that can be written, then start the same run again."
            ) from error

    def load(self) -> list[dict]:
        """Put every part and every random state back as they were.

        Returns:
            The history up to there; empty, with nothing changed, where there is no file yet.

        Raises:
            CheckpointError: the file is damaged, or of another configuration (says which settings differ).
        """
        if self.path is None or not self.path.exists():
            return []
        contents = read(self.path)
        self._check_same_run(contents)
        for name, part in self.parts.items():
            part.load_state_dict(contents[name])
        set_random_states(contents["random"])
        return contents["history"]

    def _check_same_run(self, contents: dict[str, Any]) -> None:
        lines = differences(contents["config"], self.config)
        lines = lines or differences(contents["structure"], self._structure())
        if lines:
            shown = "".join(f"\n  {line}" for line in lines[:SHOWN_DIFFERENCES])
            raise CheckpointError(
                f"{self.path} is the checkpoint of another run:{shown}\n"
                "Give the same settings to go on with it, or another file or folder to start afresh."
            )

    def _structure(self) -> dict[str, Any]:
        structure = {}
        for name, part in self.parts.items():
            structure |= _structure(name, part)
        return structure


def read(path: str | Path) -> dict[str, Any]:
    """All that a checkpoint file holds, its tensors on the CPU.

    Only plain data is read (`weights_only=True`): a file from a stranger cannot run code.

    Raises:
        CheckpointError: no such file, or it is damaged.
    """
    try:
        file = open(path, "rb")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the checkpoint: {error.strerror}.") from error
    with file:
        try:
            broken = ZipFile(file).testzip()  # torch does not compare the check sums that it writes
            file.seek(0)
            contents = {} if broken else torch.load(file, map_location="cpu", weights_only=True)
            whole = {"model", "structure", "config", "epoch", "history", "random"} <= set(contents)
        except Exception:  # a damaged file can make the reader fail in any way
            whole = False
    if not whole:
        raise CheckpointError(
            f"{path}: this is no whole checkpoint: it was cut off, changed, or written by something else. "
            "Put back a copy of it, or delete it to start the run afresh."
        )
    return contents


def differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """One line for each setting in which a checkpoint and this run differ."""
    names = [*expected, *(name for name in found if name not in expected)]
    return [
        f"{name}: checkpoint {found.get(name, 'has none')}, this run {expected.get(name, 'has none')}"
        for name in names
        if name not in found or name not in expected or found[name] != expected[name]
    ]


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `path` when all is written; until then, and on any error, `path` stays.

    Raises:
        OSError: the folder is missing or cannot be written, or the disk is full.
    """
    # Always the same name: what a killed run leaves behind is overwritten by the next.
    temporary = path.with_name(f"{path.name}.tmp")
    file = open(temporary, "wb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points at it
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # "No space left on device" alone does not say where
        raise


def _structure(name: str, part: Stateful) -> dict[str, Any]:
    """What must be equal for a state to fit `part` and mean the same: class, its modules' options, shapes."""
    structure = {name: type(part).__name__}
    if not isinstance(part, nn.Module):
        return structure
    for path, module in part.named_modules(prefix=name):
        if not type(module).__module__.startswith("torch."):
            options = {key: value for key, value in vars(module).items() if _is_option(key, value)}
            structure |= {f"{path}.{key}": value for key, value in options.items()}
    return structure | {f"{name}.{key}": list(value.shape) for key, value in part.state_dict().items()}


def _is_option(key: str, value: object) -> bool:
    return isinstance(value, bool | int | float | str) and not key.startswith("_") and key != "training"
