"""Train the small MTAN that comes with the package (`make weights`; about half an hour on two CPU cores).

Writes course_utils/models/weights/mtan_synthcity.safetensors and, beside it, the JSON card with its hash, the
settings of the run and what it reached. Killed and called again, it goes on from build/weights/checkpoint.pt.
"""

import hashlib
import json

import torch
from safetensors.torch import save

from course_utils import data, models, tasks, weighting
from course_utils.checkpoint import atomic_write
from course_utils.models.pretrained import FOLDER
from course_utils.training import fit
from tools.project import BUILD

NAME = "mtan_synthcity"
SETTINGS = {
    "dataset": "synthcity",
    "size": [128, 256],
    "classes": 7,
    "length": 1000,
    "val_length": 100,
    "width": 0.125,
    "weighting": "dwa",
    "temperature": 2.0,
    "epochs": 10,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "seed": 0,
}


def main() -> None:
    s = SETTINGS
    frames = {"size": tuple(s["size"]), "classes": s["classes"]}
    train = data.load(s["dataset"], "train", length=s["length"], **frames)
    val = data.load(s["dataset"], "val", length=s["val_length"], **frames)
    todo = [tasks.segmentation(s["classes"]), tasks.depth()]
    torch.manual_seed(s["seed"])
    model = models.build("mtan", todo, width=s["width"])
    history = fit(
        model, train, val, todo, weighting.build(s["weighting"], todo, temperature=s["temperature"]),
        epochs=s["epochs"], batch_size=s["batch_size"], learning_rate=s["learning_rate"], seed=s["seed"],
        checkpoint=BUILD / "weights" / "checkpoint.pt", config=SETTINGS,
        after_epoch=lambda history: print(json.dumps(history[-1]), flush=True),
    )  # fmt: skip
    export(model, history[-1]["metrics"])


def export(model: torch.nn.Module, metrics: dict[str, dict[str, float]]) -> None:
    """Write the weights and their card, each whole or not at all; the card, which names the hash, last."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = save({name: value.contiguous() for name, value in model.state_dict().items()})
    card = {**SETTINGS, "metrics": metrics, "sha256": hashlib.sha256(content).hexdigest()}
    for suffix, part in (("safetensors", content), ("json", (json.dumps(card, indent=2) + "\n").encode())):
        with atomic_write(FOLDER / f"{NAME}.{suffix}") as file:
            file.write(part)
    print(f"{FOLDER.name}/{NAME}.safetensors: {len(content):,} bytes, SHA-256 {card['sha256']}")


if __name__ == "__main__":
    main()
