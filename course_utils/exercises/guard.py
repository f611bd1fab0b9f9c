"""Run a student's code so that, whatever it does, the notebook goes on as if it had not run."""

import contextlib
import io
import random
import signal
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from course_utils.seeding import random_states, seed_generators, set_random_states

SECONDS = 20
"""The longest that a check may take."""

_SEED = 20190615
_AGAIN = 0.05  # seconds; an alarm that a bare `except:` of the student has swallowed rings again


class TookTooLong(BaseException):
    """The time is over. No Exception, so that a student's `except Exception` does not hold it up."""


@dataclass
class Watch:
    """What was noticed while the code ran: one friendly sentence each."""

    remarks: list[str] = field(default_factory=list)


@contextlib.contextmanager
def guarded(seconds: float = SECONDS) -> Iterator[Watch]:
    """Run the block with a time limit, its output kept out of the notebook, and global settings put back after it.

    Put back are the random states of Python, NumPy and torch, whether gradients are recorded, and torch's default
    type. Inside the block they are always the same: seeded, gradients on, float32.

    Raises:
        TookTooLong: after `seconds`. Not on Windows, nor outside the main thread, which know no alarm.
    """
    watch, printed = Watch(), io.StringIO()
    states, default_dtype = random_states(), torch.get_default_dtype()
    seed_generators(_SEED)
    untouched = random.getstate(), str(np.random.get_state())
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), torch.enable_grad():
            torch.set_default_dtype(torch.float32)
            with warnings.catch_warnings(), _time_limit(seconds):
                warnings.simplefilter("ignore")
                yield watch
    finally:
        watch.remarks += _remarks(printed.getvalue())
        if untouched != (random.getstate(), str(np.random.get_state())):
            watch.remarks.append("Your code uses Python's or NumPy's global random numbers; the check put them back.")
        torch.set_default_dtype(default_dtype)
        set_random_states(states)


def _remarks(printed: str) -> Iterator[str]:
    lines = [line for line in printed.splitlines() if line.strip()]
    if lines:
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        yield f'Your code prints while it is checked ("{lines[0].strip()[:60]}"{more}); the check kept that aside.'
    if torch.initial_seed() != _SEED:
        yield "Your code sets torch's global seed; the check put it back. Only a program's start should seed."


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
