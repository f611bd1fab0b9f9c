"""The verdict on a student's object: not attempted, not yet, raised an error, or correct."""

import linecache
import textwrap
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import torch

import course_utils
from course_utils.exercises.exercise import Exercise, NotAttempted, NotYet, is_stub
from course_utils.exercises.guard import SECONDS, TookTooLong, guarded

CORRECT = "correct"
NOT_ATTEMPTED = "not attempted yet"
NOT_YET = "not yet"
ERROR = "raised an error"
SIGNS = {CORRECT: "✓", NOT_ATTEMPTED: "○", NOT_YET: "✗", ERROR: "✗"}

_WIDTH = 100
_PACKAGE = str(Path(course_utils.__file__).parent)


@dataclass(frozen=True)
class Verdict:
    """What `check` says.

    Attributes:
        state: CORRECT, NOT_ATTEMPTED, NOT_YET or ERROR.
        words: the rest of the first sentence: the hint, or the error.
        line: the student's own line that matters, or nothing.
        remarks: what else was noticed, one sentence each.
    """

    state: str
    words: str = ""
    line: str = ""
    remarks: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """The verdict as it is printed for the exercise `name`."""
        opening = f"{SIGNS[self.state]} {name}: {self.state}"
        paragraphs = [f"{opening}: {self.words}" if self.words else f"{opening}.", *self.remarks]
        if self.state != CORRECT:
            paragraphs.append("Until it is correct, the notebook goes on with the course's own version.")
        lines = [textwrap.fill(text, _WIDTH, subsequent_indent="  ", initial_indent="  ") for text in paragraphs]
        if self.line:
            lines.insert(1, textwrap.indent(self.line, "      "))
        return "\n".join(lines).lstrip()


def judge(exercise: Exercise, attempt: Any, seconds: float = SECONDS) -> Verdict:
    """Judge a student's object. It may do what it likes: no exception leaves this function but KeyboardInterrupt."""
    if is_stub(attempt):
        return Verdict(NOT_ATTEMPTED)
    state, words, line = CORRECT, "", ""
    try:
        with guarded(seconds) as watch:
            exercise.judge(attempt)
    except NotYet as hint:
        state, words = NOT_YET, str(hint)
    except NotAttempted as stub:
        state, line = NOT_ATTEMPTED, _students_line(stub.__traceback__)
    except TookTooLong as alarm:
        state, line = NOT_YET, _students_line(alarm.__traceback__)
        words = f"it was stopped after {seconds:g} seconds. Is there a loop that does not end?"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's code may raise anything, SystemExit included
        line = _students_line(error.__traceback__)
        # A stub raises without words; torch says which operation or method is missing.
        is_stub_raised = isinstance(error, NotImplementedError) and not str(error)
        state, words = (NOT_ATTEMPTED, "") if is_stub_raised else (ERROR, _explain(error))
    return Verdict(state, words, line, tuple(watch.remarks))


def _explain(error: BaseException) -> str:
    first_line = (str(error).strip().splitlines() or [""])[0]
    name = type(error).__name__
    if isinstance(error, SystemExit):
        return "your code ends the program (exit); a function should return."
    if any(word in str(error) for word in ("CUDA", "NVIDIA", "cuda")):
        device = "another device than that of its inputs" if torch.cuda.is_available() else "a GPU that is not there"
        return f"{name}: your code asks for {device}. Work where the tensors are that it is given."
    return f"{name}: {first_line[:200]}" if first_line else f"{name}."


def _students_line(traceback: TracebackType | None) -> str:
    """Number and text of the deepest line in a traceback that stands in the notebook; empty if none does."""
    own = [
        (frame, number)
        for frame, number in walk_tb(traceback)
        if frame.f_globals.get("__name__") == "__main__" and not frame.f_code.co_filename.startswith(_PACKAGE)
    ]
    if not own:
        return ""
    frame, number = own[-1]
    text = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"line {number} of its cell:  {text}" if text else f"line {number} of its cell"
