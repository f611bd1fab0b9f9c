"""Exercises that check themselves: what a notebook calls after each one, and the record of what is done.

    attention_mask = check("04.attention_mask", attention_mask)
    compare("05.first_losses", guess, measured)
    progress()

One file per chapter holds the judges; how to write one stands in CONTRIBUTING.md.
"""

from collections.abc import Mapping
from typing import Any

from course_utils.exercises import guesses, record, verdict
from course_utils.exercises.exercise import find_exercise, find_prediction
from course_utils.exercises.overview import overview

__all__ = ["check", "compare", "progress", "solved"]

_lent: dict[str, Any] = {}
"""Name of an exercise -> the course's own object that stands in for the student's in this kernel."""


def check(name: str, attempt: Any) -> Any:
    """Say whether a student's object is right, and return one that is: the student's own, else the course's.

    Prints one of: not attempted; not yet, with a hint; raised an error, with the student's line; correct. Whatever the
    object does, printing, raising, looping for over 20 seconds, seeding, the notebook goes on.

    Args:
        name: of the exercise, such as "04.attention_mask".
        attempt: the student's function, class or value.

    Raises:
        ValueError: no exercise has that name.
    """
    exercise = find_exercise(name)
    if name in _lent and attempt is _lent[name]:  # a check that is run twice would praise the course's own
        found = verdict.Verdict(verdict.NOT_ATTEMPTED, "this is the course's own. First run the cell with your code.")
    else:
        found = verdict.judge(exercise, attempt)
    print(found.text(name))
    if found.state == verdict.CORRECT:
        record.note(name, "done")
        return attempt
    if found.state != verdict.NOT_ATTEMPTED:
        record.note(name, "tried")
    _lent[name] = exercise.own()
    return _lent[name]


def compare(name: str, guess: Any, measured: Any) -> None:
    """Set a student's guess against what was measured, and explain. Without a guess, nothing is given away.

    Args:
        name: of the prediction, such as "05.first_losses".
        guess: a number, or one of the prediction's choices; `...` for none yet.
        measured: what the cell has found, of the same kind.

    Raises:
        ValueError: no prediction has that name, or `measured` is none of its choices.
    """
    text, compared = guesses.answer(find_prediction(name), guess, measured)
    print(text)
    if compared:
        record.note(name, "done")


def progress(states: Mapping[str, str] | None = None) -> None:
    """Draw what is done, chapter by chapter: over all chapters, also those of earlier sessions.

    Args:
        states: name -> "tried" or "done"; the student's own record by default.
    """
    print(overview(record.read() if states is None else states))


def solved(name: str) -> bool:
    """Whether `check` has found an exercise correct in this kernel; what graded notebooks assert."""
    return record.in_this_kernel(find_exercise(name).name) == "done"
