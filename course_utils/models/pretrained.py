"""The small trained MTAN that comes with the package. Chapters 00 and 07 look at it; chapter 06 trains its like.

`weights/NAME.json` says what the network is, how it was trained, what it reached, and the SHA-256 of
`weights/NAME.safetensors`. `make weights` trains it anew and writes both.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from course_utils import tasks
from course_utils.models import build
from course_utils.models.mtan import MTAN
from course_utils.tasks import Task

FOLDER = Path(__file__).parent / "weights"


class WeightsError(Exception):
    """Weights that come with the package are missing or were changed."""


def card(name: str = "mtan_synthcity") -> dict[str, Any]:
    """What is known of the network: how it was built and trained, its metrics on validation frames, its hash.

    Raises:
        ValueError: there are no weights of this name.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if name not in known:
        raise ValueError(f"pretrained: unknown name {name!r}; known are {', '.join(known) or 'none'}.")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def pretrained(name: str = "mtan_synthcity", device: str | torch.device = "cpu") -> tuple[MTAN, list[Task]]:
    """A trained network, in evaluation mode, and its tasks.

    Raises:
        ValueError: there are no weights of this name.
        WeightsError: the file is missing, or is not the one that was trained (says both hashes).
    """
    from safetensors.torch import load

    facts = card(name)
    todo = [tasks.segmentation(facts["classes"]), tasks.depth()]
    model = build("mtan", todo, width=facts["width"])
    model.load_state_dict(load(_read(FOLDER / f"{name}.safetensors", facts["sha256"])))
    return model.to(device).eval(), todo


def _read(path: Path, sha256: str) -> bytes:
    if not path.is_file():
        raise WeightsError(f"{path}: missing. It comes with course_utils: install the package again.")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{path}: SHA-256 is {found}, expected {sha256}. The file was cut off or changed; "
            "install the package again."
        )
    return content
