"""What a chapter consists of, in order: read from its notebook and from the one with the solutions.

A chapter's text is markdown; markdown-it says which lines are a paragraph, a list, a table, an equation.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from course_utils.exercises.exercise import find_exercise
from tools.check_notebooks import CALLS_OF_EXERCISES, tags

_MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
_KINDS = {
    "math_block": "equation",
    "table_open": "table",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "code",
}
_CHECKED_EXERCISE = re.compile(r"### Exercise (\d\d\.\w+) · ")
_OPEN_EXERCISE = re.compile(r"\*\*(Exercise|To think through) \((?:(\d+) minutes?|open)\)\.\*\*\s*")
_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
_GUESSED = re.compile(r"✓ \S+ (?:you guessed .*?, close to the measured |your guess (?=.* is right\.))(.*)", re.DOTALL)
_JUDGES = re.compile(rf"^(?:\w+ = )?(?:{'|'.join(CALLS_OF_EXERCISES)})\(", re.MULTILINE)
_JUST_OUTPUTS = {"why:shows-this-machine", "why:shows-progress"}


@dataclass(frozen=True)
class Heading:
    """A markdown heading of level 1, 2 or 3."""

    level: int
    title: str


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Prompt:
    """A question to the class before a cell is run; the text has no **Predict.** any more."""

    text: str


@dataclass(frozen=True)
class Shown:
    """Markdown that belongs on the slide. `kind` is equation, table, list or code."""

    kind: str
    text: str


@dataclass(frozen=True)
class Break:
    """An exercise: `task` is the markdown of what the class has to do.

    Without a `name`, nothing checks it; an open one has 0 minutes.
    """

    name: str
    title: str
    minutes: int
    trains: str
    task: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Markdown that the notebook folds away, under the words that unfold it."""

    summary: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question of a quiz, with its folded answer."""

    number: int
    text: str
    answer: str


@dataclass(frozen=True)
class Picture:
    """A figure among a cell's outputs: base64 of a PNG, and its alt text."""

    png: str
    alt: str


@dataclass(frozen=True)
class Code:
    """A code cell.

    Attributes:
        number: the count that Jupyter shows beside the cell.
        source: as the students have it, with stubs.
        solution: the same cell filled in, empty if there is nothing to fill in.
        printed: what it prints, the verdicts on exercises apart.
        explained: what the class learns once it has guessed.
        pictures: its figures.
        failed: whether it raised, on purpose.
    """

    number: int
    source: str
    solution: str = ""
    printed: str = ""
    explained: str = ""
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    failed: bool = False


Block = Heading | Prose | Prompt | Shown | Break | Answer | Question | Code


def read(notebook: NotebookNode, solved: NotebookNode) -> list[Block]:
    """The blocks of a chapter, from its two editions, which have the same cells."""
    found: list[Block] = []
    for cell, filled_in in zip(notebook.cells, solved.cells, strict=True):
        if cell.cell_type == "markdown":
            found += read_markdown(cell.source)
        elif not tags(cell) & _JUST_OUTPUTS:
            found += _read_code(cell, filled_in)
    return found


def read_markdown(source: str) -> list[Block]:
    """The blocks of a markdown cell."""
    found: list[Block] = []
    pieces = list(_pieces(source))
    while pieces:
        kind, text = pieces.pop(0)
        checked, on_trust = _CHECKED_EXERCISE.match(text), _OPEN_EXERCISE.match(text)
        if checked:
            exercise = find_exercise(checked[1])
            task = [part for part in _take_task(pieces, to_the_end=True) if not part.startswith("*Trains: ")]
            found.append(Break(exercise.name, exercise.title, exercise.minutes, exercise.trains, tuple(task)))
        elif on_trust:
            task = (text[on_trust.end() :], *_take_task(pieces, to_the_end=False))
            found.append(Break("", on_trust[1], int(on_trust[2] or 0), "", task))
        elif kind == "details":
            _add_answer(found, text)
        elif "<details" in text:
            found += _questions(text)
        elif kind == "heading":
            marks, title = text.split(maxsplit=1)
            found.append(Heading(len(marks), title))
        elif re.fullmatch(r"\*\*[^*]+[^*.!?:]\*\*", text):
            found.append(Heading(3, text.strip("*")))
        elif kind == "paragraph":
            found.append(Prompt(text[13:]) if text.startswith("**Predict.** ") else Prose(text))
        else:
            found.append(Shown(kind, text))
    return found


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """(kind, markdown) of each top-level part of a cell. A folded part is one piece, of kind details."""
    lines = source.splitlines()
    reached = 0
    for token in _MARKDOWN.parse(source):
        if token.level or not token.map or token.map[0] < reached:
            continue
        start, reached = token.map
        text = "\n".join(lines[start:reached]).strip()
        if text.startswith("<details"):
            reached = next(row for row in range(start, len(lines)) if "</details>" in lines[row]) + 1
            yield "details", "\n".join(lines[start:reached])
        elif not text.startswith("[!["):  # badges lead to the notebook, not to the slides
            yield _kind(token), text


def _kind(token: Token) -> str:
    return _KINDS.get(token.type, token.type.removesuffix("_open"))


def _take_task(pieces: list[tuple[str, str]], to_the_end: bool) -> list[str]:
    """Take the pieces that belong to an exercise: up to a heading or an answer.

    Args:
        to_the_end: also if neither follows in this cell.
    """
    stop = next((at for at, (kind, _) in enumerate(pieces) if kind in {"heading", "details"}), None)
    if stop is None or pieces[stop][0] != "details":
        stop = (len(pieces) if stop is None else stop) if to_the_end else 0
    task = [text for _, text in pieces[:stop]]
    del pieces[:stop]
    return task


def _add_answer(found: list[Block], text: str) -> None:
    """Add a folded part: the answer to the question just before it, if there is one."""
    summary, body = _unfold(text)
    last = found[-1] if found else None
    numbered = re.match(r"(\d+)\.\s+(.*)", last.text, re.DOTALL) if isinstance(last, Shown) else None
    if numbered:
        found[-1] = Question(int(numbered[1]), textwrap.dedent("   " + numbered[2]), body)
    else:
        found.append(Answer(summary, body))


def _questions(text: str) -> list[Block]:
    """The questions of a numbered list whose items hold their answers."""
    found: list[Block] = []
    for number, item in re.findall(r"^(\d+)\.\s+(.*?)(?=^\d+\.\s|\Z)", text, re.MULTILINE | re.DOTALL):
        question, *_ = item.split("<details")
        answer = _unfold(item)[1] if "<details" in item else ""
        found.append(Question(int(number), textwrap.dedent("   " + question).strip(), answer))
    return found


def _unfold(text: str) -> tuple[str, str]:
    """(summary, markdown inside) of a folded part, which may stand indented in a list."""
    match = _DETAILS.search(text)
    if not match:
        raise ValueError(f"cannot read the folded part {text[:60]!r}.")
    return match[1].strip(), textwrap.dedent(match[2].strip("\n")).strip()


def _read_code(cell: NotebookNode, solved: NotebookNode) -> list[Block]:
    """A code cell; nothing where it only checks an exercise."""
    if cell.source.count("\n") == 0 and _JUDGES.match(cell.source):
        return []
    return [
        Code(
            number=cell.execution_count or 0,
            source=cell.source,
            solution=solved.source if solved.source != cell.source and not _guesses(cell) else "",
            printed=_without_verdicts(_printed(cell)) if _JUDGES.search(cell.source) else _printed(cell),
            explained=_explained(solved),
            pictures=tuple(_pictures(cell)),
            failed=any(output.output_type == "error" for output in cell.outputs),
        )
    ]


def _guesses(cell: NotebookNode) -> bool:
    """Whether a cell compares a guess: what is to be filled in there is no solution."""
    return bool(re.search(r"^compare\(", cell.source, re.MULTILINE))


def _printed(cell: NotebookNode) -> str:
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}\n")
        elif output.output_type == "execute_result" and "image/png" not in output.data:
            texts.append(output.data.get("text/plain", "") + "\n")
    return "".join(texts).strip("\n")


def _without_verdicts(printed: str) -> str:
    """Leave out what `check` and `compare` say of a stub."""
    return re.sub(r"^[○✓✗] \d\d\.\w+: .*(?:\n +.*)*\n?", "", printed, flags=re.MULTILINE).strip("\n")


def _explained(solved: NotebookNode) -> str:
    """What `compare` says to a right guess: what was measured, and why."""
    match = _GUESSED.search(_printed(solved)) if _guesses(solved) else None
    if not match:
        return ""
    words = " ".join(re.split(r"\n(?! )", match[1])[0].split())
    return f"**Answer:** {words.replace(' is right.', '.', 1)}" if " is right." in words else f"**Measured:** {words}"


def _pictures(cell: NotebookNode) -> Iterator[Picture]:
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            yield Picture(output.data["image/png"].strip(), output.metadata.get("image/png", {}).get("alt", ""))
