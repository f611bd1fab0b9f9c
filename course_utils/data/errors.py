"""The one error of `course_utils.data`, and the check of arguments that are chosen from a list."""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """Data, or the request for it, is wrong; the message names the file or argument and what to do."""


def require_one_of(argument: str, value: object, known: Iterable[object]) -> None:
    """Raise a DataError that lists `known` unless `value` is among them."""
    known = list(known)
    if value in known:
        return
    close = difflib.get_close_matches(str(value).lower(), [str(choice) for choice in known], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(repr(choice) for choice in known)
    raise DataError(f"{argument}={value!r} is not known; expected one of {listed}.{hint}")
