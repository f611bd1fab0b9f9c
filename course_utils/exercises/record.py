"""What a student has done, in one small file, so that `progress()` knows it in every chapter and after a restart."""

import json
import os
from pathlib import Path

from course_utils import platforms
from course_utils.checkpoint import atomic_write

STATES = ("tried", "done")
"""tried: there was an attempt or a guess. done: it was correct, or, for a prediction, it was compared."""

_session: dict[str, str] = {}


def path() -> Path | None:
    """The file: where the environment variable MTAN_PROGRESS says (empty: none is kept), else a place that outlives the
    kernel: Kaggle's working folder, Colab's mounted Drive, or the home folder."""
    chosen = os.environ.get("MTAN_PROGRESS")
    if chosen is not None:
        return Path(chosen) if chosen else None
    drive = Path("/content/drive/MyDrive")
    folder = {"kaggle": Path("/kaggle/working"), "colab": drive if drive.is_dir() else Path.home()}
    return folder.get(platforms.platform_name(), Path.home()) / "mtan_progress.json"


def read() -> dict[str, str]:
    """Name of an exercise or a prediction -> "tried" or "done". A damaged file is set aside, and said so."""
    file = path()
    if file is None or not file.exists():
        return dict(_session)
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or not set(map(str, stored.values())) <= set(STATES):
            raise ValueError("it is not a table of what was done")
    except (OSError, ValueError) as error:
        _set_aside(file, error)
        return dict(_session)
    return _better(stored, _session)


def in_this_kernel(name: str) -> str:
    """The state that this kernel has noted, whatever the file says; empty if none."""
    return _session.get(name, "")


def note(name: str, state: str) -> None:
    """Note a state; what is done stays done. Where the file cannot be written, the kernel alone remembers."""
    _session.update(_better(_session, {name: state}))
    file = path()
    if file is None:
        return
    known = read()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as open_file:
            open_file.write(json.dumps(known, indent=1, sort_keys=True).encode())
    except OSError as error:
        print(f"Your progress cannot be kept in {file} ({error.strerror}); it lasts until the kernel ends.")


def _better(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Both tables in one; where they differ, the better state."""
    return first | {name: state for name, state in second.items() if first.get(name) != "done"}


def _set_aside(file: Path, error: Exception) -> None:
    aside = file.with_suffix(".damaged.json")
    try:
        os.replace(file, aside)
    except OSError:
        print(f"Your progress in {file} cannot be read ({error}); this kernel starts anew.")
    else:
        print(f"Your progress in {file} could not be read ({error}). It now lies in {aside.name}; a new one is begun.")
