"""Make the slides: one HTML deck per chapter and an index, from the notebooks as they are stored.

    make slides                     all chapters
    make slides CHAPTERS="04 05"    some

Writes build/slides/NN_name.html and index.html. Nothing is executed: the outputs are those of the notebooks, so a
chapter whose notebooks were not built from its source is refused.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat

from tools import chapters, check_notebooks
from tools.chapters import Chapter, ChapterError
from tools.page import EquationError
from tools.project import BUILD
from tools.slides.blocks import read
from tools.slides.deck import deck, index
from tools.slides.layout import Layout, Slide


def columns(chapter: Chapter) -> list[list[Slide]]:
    """The slides of a chapter. Raises ChapterError where its notebooks do not fit its source."""
    notebooks = []
    for solved, path in chapter.editions.items():
        if not path.is_file():
            raise ChapterError(f"{chapter.name}: {path.name} was never built. {_rebuild(chapter)}")
        text = path.read_text(encoding="utf-8")
        wrong = check_notebooks.problems(chapter, text, solved)
        if wrong:
            raise ChapterError(f"no slides for {wrong[0]}")
        notebooks.append(nbformat.reads(text, as_version=4))
    return Layout(read(*notebooks)).columns


def row(chapter: Chapter, slides: list[Slide]) -> dict:
    """What the index says of a deck."""
    minutes = [slide.minutes for slide in slides if slide.minutes]
    return {"chapter": chapter, "slides": len(slides), "exercises": len(minutes), "minutes": sum(minutes)}


def main(arguments: list[str] | None = None, folder: Path = BUILD / "slides") -> int:
    parser = argparse.ArgumentParser(description="Make one deck of slides per chapter, in build/slides/.")
    parser.add_argument("chapters", nargs="*", help="such as 04 or 04_attention (default: all)")
    try:
        chosen = chapters.find(parser.parse_args(arguments).chapters)
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    rows, failures = [], []
    for chapter in chosen:
        try:
            found = columns(chapter)
            (folder / f"{chapter.name}.html").write_text(deck(chapter, found), encoding="utf-8")
        except (ChapterError, EquationError) as error:
            failures.append(str(error))
            continue
        rows.append(row(chapter, [slide for column in found for slide in column]))
        print(f"{chapter.name}: {rows[-1]['slides']} slides, {rows[-1]['exercises']} exercises")
    (folder / "index.html").write_text(index(rows), encoding="utf-8")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    if rows:
        print(f"Open {os.path.relpath(folder / 'index.html')}")
    return 1 if failures else 0


def _rebuild(chapter: Chapter) -> str:
    return f"Run: make notebooks CHAPTERS={chapter.number}"


if __name__ == "__main__":
    sys.exit(main())
