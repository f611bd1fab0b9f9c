"""What an exercise and a prediction are, and where they are found by name."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import EllipsisType
from typing import Any


@dataclass(frozen=True)
class Exercise:
    """Something that a student builds and `check` judges.

    Attributes:
        name: chapter and object, such as "05.dwa_weights".
        title: what is built, in a few words.
        minutes: that a student needs, about.
        trains: what it trains, in a few words.
        own: returns the course's own object, which the notebook uses until the student's is correct.
        judge: takes the student's object and returns if it is correct; raises NotYet with a hint if it is not.
    """

    name: str
    title: str
    minutes: int
    trains: str
    own: Callable[[], Any]
    judge: Callable[[Any], None]

    @property
    def chapter(self) -> str:
        """NN"""
        return self.name.split(".")[0]


@dataclass(frozen=True)
class Prediction:
    """Something that a student guesses before the cell measures it.

    Attributes:
        name: chapter and subject, such as "05.first_losses".
        because: the explanation shown after the guess. A dict gives one for every choice that may be guessed; then
            the guess is one of its keys, else a number.
        unit: of the number, shown behind it.
        factor: a number counts as close if it is at most this many times too high or too low.
        within: or, if it is at most this far away; replaces `factor`.
        digits: significant digits of the measured number that are shown.
    """

    name: str
    because: str | Mapping[str, str]
    unit: str = ""
    factor: float = 1.25
    within: float | None = None
    digits: int = 2

    @property
    def chapter(self) -> str:
        """NN"""
        return self.name.split(".")[0]


class NotYet(Exception):  # noqa: N818  (not an error: the verdict on an attempt)
    """The student's object is not correct yet; the message is one hint that names what is wrong, never the answer."""


class NotAttempted(Exception):  # noqa: N818
    """The student's object is still the stub, or returns its `...`."""


EXERCISES: dict[str, Exercise] = {}
"""Every exercise of the chapters read so far; `load_chapters` reads the rest."""

PREDICTIONS: dict[str, Prediction] = {}
"""Every prediction of the chapters read so far."""


def exercise(
    name: str, title: str, *, minutes: int, trains: str, own: Callable[[], Any]
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Decorate the function that judges an exercise; see `Exercise` for the arguments."""

    def register(judge: Callable[[Any], None]) -> Callable[[Any], None]:
        EXERCISES[name] = Exercise(name, title, minutes, trains, own, judge)
        return judge

    return register


def predict(name: str, because: str | Mapping[str, str], **options: Any) -> None:
    """Register a prediction; see `Prediction` for the arguments."""
    PREDICTIONS[name] = Prediction(name, because, **options)


def expect(condition: Any, hint: str) -> None:
    """Raise NotYet with the hint where the condition does not hold."""
    if not condition:
        raise NotYet(hint)


def find_exercise(name: str) -> Exercise:
    """The exercise of that name. Raises ValueError, with the nearest names, where there is none."""
    return _find(name, EXERCISES, "exercise")


def find_prediction(name: str) -> Prediction:
    """The prediction of that name. Raises ValueError, with the nearest names, where there is none."""
    return _find(name, PREDICTIONS, "prediction")


def load_chapters() -> None:
    """Read the exercises of every chapter into EXERCISES and PREDICTIONS, in the order of the course."""
    for module in sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if module.startswith("chapter_"):
            importlib.import_module(f"{__package__}.{module}")


def is_stub(value: Any) -> bool:
    """Whether a value is the `...` that stands in the place of the student's own."""
    return isinstance(value, EllipsisType)


def _find(name: str, known: Mapping[str, Any], kind: str) -> Any:
    if name not in known:
        load_chapters()
    if name not in known:
        near = get_close_matches(str(name), known, n=3, cutoff=0.4) or sorted(known)
        raise ValueError(f"name: no {kind} is called {name!r}. Did you mean {', '.join(near)}?")
    return known[name]
