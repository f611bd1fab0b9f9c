"""Regenerate what the README derives from elsewhere: its chapter table and its picture.

    make readme                            both
    python -m tools.readme --table         the table alone
"""

import argparse
import sys

from course_utils.exercises.exercise import EXERCISES, load_chapters
from tools import chapters
from tools.chapters import Chapter, ChapterError
from tools.project import ROOT

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "mtan_output.png"
BEGIN = "<!-- chapters: written by `make readme` -->"
END = "<!-- end of chapters -->"


def table(found: list[Chapter]) -> str:
    """The chapter table in markdown."""
    load_chapters()
    rows = ["| | Chapter | Exercises | Laptop | T4 | Open in | |", "|---|---|---|---|---|---|---|"]
    for chapter in found:
        link = f"[{chapter.title}](notebooks/{chapter.name}.ipynb)"
        solutions = f"[solutions](notebooks/solutions/{chapter.name}.ipynb)"
        times = f"{duration(chapter.minutes_cpu)} | {duration(chapter.minutes_gpu)}"
        rows.append(
            f"| {chapter.number} | {link} | {exercises(chapter)} | {times} | {chapters.badges(chapter)} | {solutions} |"
        )
    return "\n".join(rows)


def exercises(chapter: Chapter) -> str:
    """How many exercises a chapter has, and their minutes."""
    count = sum(exercise.chapter == chapter.number for exercise in EXERCISES.values())
    return f"{count}, {duration(chapter.exercise_minutes)}" if count else "–"


def duration(minutes: float) -> str:
    """Minutes, or hours where there are many."""
    return f"{minutes:g} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def with_table(readme: str, found: list[Chapter]) -> str:
    """The README's text with a fresh table between the two marks. Raises ChapterError without marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ChapterError(f"README.md: expected the lines {BEGIN} and {END} around the chapter table.")
    return f"{before}{BEGIN}\n{table(found)}\n{END}{after}"


def draw_picture() -> None:
    """Draw the shipped MTAN's output on one built-in scene to docs/mtan_output.png."""
    import torch

    from course_utils import data, plots
    from course_utils.models.pretrained import pretrained

    model, todo = pretrained("mtan_synthcity")
    val = data.load("synthcity", "val", size=(128, 256), classes=7, length=8)
    sample = val[3]
    images = sample["image"][None]
    model.eval()
    with torch.no_grad():
        predicted = model(images)
    targets = {task.target: sample[task.target][None] for task in todo}
    figure = plots.predictions(images, targets, predicted, todo, rows=1, source=val.source)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100, bbox_inches="tight", metadata={"Software": None})


def main() -> int:
    parser = argparse.ArgumentParser(description="Regenerate the README's chapter table and picture.")
    parser.add_argument("--table", action="store_true", help="the table alone")
    arguments = parser.parse_args()
    try:
        text = with_table(README.read_text(encoding="utf-8"), chapters.find())
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    README.write_text(text, encoding="utf-8")
    if not arguments.table:
        draw_picture()
    return 0


if __name__ == "__main__":
    sys.exit(main())
