"""Attempts at the exercises: the wrong ones that students make, and right ones unlike the course's own.

Each `attempts_NN.py` registers those of one chapter; `test_judges.py` shows every one of them to its judge.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """A student's object for one exercise.

    Attributes:
        exercise: its name, such as "05.dwa_weights".
        label: what is wrong, or what is different, in a few words.
        value: the student's object.
        hint: a piece of the hint that it must get; empty for a right attempt.
    """

    exercise: str
    label: str
    value: Any
    hint: str = ""


WRONG: list[Attempt] = []
RIGHT: list[Attempt] = []


def wrong(exercise: str, label: str, hint: str) -> Callable[[Any], Any]:
    """Decorate a function or class that is wrong and must get a hint that contains `hint`."""

    def register(value: Any) -> Any:
        WRONG.append(Attempt(exercise, label, value, hint))
        return value

    return register


def right(exercise: str, label: str) -> Callable[[Any], Any]:
    """Decorate a function or class that is right, though not the course's own."""

    def register(value: Any) -> Any:
        RIGHT.append(Attempt(exercise, label, value))
        return value

    return register


def load() -> None:
    """Read the attempts of every chapter."""
    for file in sorted(Path(__file__).parent.glob("attempts_*.py")):
        importlib.import_module(f"tests.exercises.{file.stem}")
