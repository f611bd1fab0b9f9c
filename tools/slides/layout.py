"""Blocks to slides: what is shown where, and what the speaker says to it.

A `##` heading opens a column, what follows goes down. A slide shows one idea: the first sentence of the paragraph that
leads to it, then the equation, table, code or figure itself; the whole paragraphs are its notes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from tools.slides import listing, measure
from tools.slides.blocks import (
    Answer,
    Block,
    Break,
    Code,
    Heading,
    Picture,
    Prompt,
    Prose,
    Question,
    Shown,
    read_markdown,
)
from tools.slides.wording import first_sentence, is_statement, items, leads_on, sentences, visible_length

LONGEST_LEAD = 210
LONGEST_ITEM = 115
LONGEST_EQUATION = 62
MOST_POINTS = 6
COUNTDOWN = 230
"""Height below a task at which the countdown can be large."""

_TAKEAWAY = 100
"""Height kept free below a figure for what is to be seen in it."""

_BELOW_PICTURE = 130
"""Height of printed text, beyond which it does not share the figure's slide."""

_CODE_SIZES = (24, 22, 20)
_TABLE_SIZES = (28, 25, 22, 19)
_QUIZ_SIZES = (34, 32, 30, 28)
_GROWTH = (1.4, 1.3, 1.2, 1.1)
_EXPLAINED = {"opener", "plain", "predict"}
_COVERED = {"solution", "answer", "quiz"}


@dataclass(frozen=True)
class Part:
    """A piece of a slide's body.

    Attributes:
        kind: lead, statement, takeaway, text, list, equation, table, code, printed, error, picture, explained, trains
            or answer.
        text: markdown, code, printed text or base64 of a picture, as the kind has it.
        size: of its letters, in pixels; of a picture, its height.
        label: number of the cell in the notebook, or a picture's alt text.
        fragment: whether it appears only at the next key press.
    """

    kind: str
    text: str
    size: float = 30
    label: str = ""
    fragment: bool = False

    @property
    def height(self) -> int:
        """In pixels, about."""
        return measure.height(self.kind, self.text, self.size)


@dataclass
class Slide:
    """One screen. `kind` is title, opener, plain, predict, break, solution, answer or quiz; it gives the colour.

    `closed` slides take no further parts; the parts of a `covered` one appear together at a key press.
    """

    kind: str
    title: str
    kicker: str
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    minutes: int = 0
    closed: bool = False
    covered: bool = False

    @property
    def room(self) -> int:
        """The height that is left."""
        return measure.HEIGHT - sum(part.height for part in self.parts)

    @property
    def shows_result(self) -> bool:
        """Whether its last part is something that was measured or drawn."""
        return bool(self.parts) and self.parts[-1].kind in {"printed", "picture", "error", "explained"}

    @property
    def has_large_countdown(self) -> bool:
        """Whether there is room for the minutes below the task."""
        return self.minutes > 0 and self.room >= COUNTDOWN


class Layout:
    """Puts blocks on slides, one after the other; `columns` is the outcome."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.columns: list[list[Slide]] = []
        self._section = self._title = ""
        self._fresh = False  # a heading was read, and nothing of what is below it
        self._read: list[str] = []  # paragraphs since the last other block
        self._waiting: list[str] = []  # those of them that belong to the next slide
        self._exercise: Break | None = None
        self._task: Slide | None = None  # on which the exercise is set
        self._guessing = False
        for block in blocks:
            self._put(block)
        self._share_out(None)
        for column in self.columns:
            _carry_on(column)
            for slide in column:
                _fill(slide)

    @property
    def _slide(self) -> Slide:
        """The one that is being filled."""
        return self.columns[-1][-1]

    def _put(self, block: Block) -> None:
        if isinstance(block, Prose):
            self._read.append(block.text)
            return
        if isinstance(block, Code) and not self._section:
            return  # what runs before the first section only prepares
        self._share_out(block)
        match block:
            case Heading():
                self._put_heading(block)
            case Prompt():
                self._put_prompt(block)
            case Shown():
                self._put_shown(block)
            case Break():
                self._put_break(block)
            case Answer():
                self._put_answer(block)
            case Question():
                self._put_question(block)
            case Code():
                self._put_code(block)

    # Paragraphs: who says what, and when

    def _share_out(self, following: Block | None) -> None:
        """Decide which of the paragraphs just read explain what was shown, and which lead to `following`."""
        paragraphs, self._read = self._read, []
        ends = following is None or isinstance(following, Heading | Break)
        if self._fresh:
            self._waiting += paragraphs
            if ends and self._waiting:
                self._put_points()
            return
        if ends:
            stay = len(paragraphs)
        elif len(paragraphs) == 1:
            stay = int(self._slide.shows_result and not leads_on(paragraphs[0]))
        else:
            stay = max(0, len(paragraphs) - 1)
        self._waiting += paragraphs[stay:]
        self._explain(paragraphs[:stay])

    def _explain(self, paragraphs: list[str]) -> None:
        """Let the slide's notes go on, and show what is to be learned from the result above."""
        if not paragraphs:
            return
        self._slide.notes += paragraphs
        for index, paragraph in enumerate([] if self._slide.closed else paragraphs):
            if is_statement(paragraph):
                self._say("statement", paragraph)
            elif index == 0 and self._slide.kind == "title":
                self._say("lead", paragraph)
            elif index == 0 and self._slide.shows_result and not leads_on(paragraph):
                self._say("takeaway", paragraph)

    def _say(self, kind: str, paragraph: str) -> None:
        """Show the first sentence of a paragraph, if it is short and fits."""
        part = Part(kind, first_sentence(paragraph))
        covered = bool(self._slide.parts) and self._slide.parts[-1].fragment
        if visible_length(part.text) <= LONGEST_LEAD and part.height <= self._slide.room:
            self._slide.parts.append(replace(part, fragment=covered))

    def _put_points(self) -> None:
        """A slide of nothing but text: its sentences one by one, or each paragraph's first if they are many."""
        paragraphs, self._waiting = self._waiting, []
        self._begin()
        self._slide.notes += paragraphs
        points = [sentence for paragraph in paragraphs for sentence in sentences(paragraph)]
        if len(points) > MOST_POINTS:
            points = [first_sentence(paragraph) for paragraph in paragraphs]
        self._add_list([f"* {point}" for point in points[:MOST_POINTS]], 30)

    # Slides and what is on them

    def _begin(self, kind: str = "plain", title: str = "", kicker: str = "") -> None:
        """Open a slide. The waiting paragraphs are its notes, and their first sentences lead to what it shows."""
        opens = self._fresh and kind == "plain"
        if not kicker and (title or self._title) != self._section:
            kicker = self._section
        self.columns[-1].append(Slide("opener" if opens else kind, title or self._title, kicker))
        self._fresh = False
        paragraphs, self._waiting = self._waiting, []
        self._slide.notes += paragraphs
        if kind in _COVERED:
            return
        for paragraph in paragraphs[: 3 if opens else 1]:
            self._say("statement" if is_statement(paragraph) else "lead", paragraph)

    def _make_room(self, needed: int) -> None:
        """Open a slide where something new begins, or where the present one has too little room."""
        if not (self._fresh or self._waiting or self._slide.closed) and needed <= self._slide.room:
            return
        self._begin()
        if needed <= self._slide.room:
            return
        if self._slide.kind == "opener" and len(self._slide.parts) > 1:
            self._begin()
        while self._slide.parts and needed > self._slide.room:
            self._slide.parts.pop()  # the speaker still says it

    def _add(self, part: Part, below: int = 0) -> None:
        """Show a part, where the height `below` is left under it."""
        self._make_room(part.height + below)
        self._slide.parts.append(part)

    def _add_list(self, points: list[str], size: int) -> None:
        """A list, on as many slides as it needs."""
        while points:
            count = len(points)
            while count > 1 and measure.height("list", "\n".join(points[:count]), size) > measure.HEIGHT - 60:
                count -= 1
            self._add(Part("list", "\n".join(points[:count]), size))
            points = points[count:]

    def _add_covered(self, kind: str, title: str, kicker: str, parts: list[Part]) -> None:
        """Parts that a teacher uncovers, on as many slides as they need."""
        self._begin(kind, title, kicker)
        for part in parts:
            if part.height > self._slide.room and self._slide.parts:
                self._slide.closed = self._slide.covered = True
                self._begin(kind, title, kicker)
            self._slide.parts.append(part)
        self._slide.closed = self._slide.covered = True

    # Blocks

    def _put_heading(self, heading: Heading) -> None:
        self._fresh, self._exercise, self._task, self._guessing = True, None, None, False
        self._title = heading.title
        if heading.level < 3:
            self.columns.append([])
            self._section = heading.title if heading.level == 2 else ""
        if heading.level == 1:
            self._begin("title", heading.title)

    def _put_prompt(self, prompt: Prompt) -> None:
        self._begin("predict", "Predict", self._title)
        self._slide.parts.append(Part("text", prompt.text, 40))
        self._slide.notes.append("Ask for guesses before you go on.")
        self._slide.closed = self._guessing = True

    def _put_shown(self, shown: Shown) -> None:
        if shown.kind == "list":
            is_source = self._section == "Sources"
            found = items(shown.text)
            short = found if is_source else [_shorten(item) for item in found]
            self._add_list(short, 24 if is_source else 30)
            if short != found:
                self._slide.notes.append(shown.text)
        else:
            for part in _parts(shown):
                self._add(part)

    def _put_break(self, exercise: Break) -> None:
        """The slide on which the class works."""
        self._exercise, self._guessing = exercise, False
        kicker = f"Exercise {exercise.name}" if exercise.name else self._title
        self._begin("break", _capital(exercise.title), kicker)
        self._slide.minutes = exercise.minutes
        first = self._slide
        if exercise.trains:
            first.parts.append(Part("trains", f"*Trains: {exercise.trains}.*", 24))
        for part in _parts_of("\n\n".join(exercise.task)):
            if part.height > self._slide.room:
                self._begin("break", _capital(exercise.title), f"{kicker}, continued")
            self._slide.parts.append(part)
        self._slide.closed, self._task = True, self._slide
        if exercise.minutes:
            about = f"{exercise.minutes} minutes. A click on the minutes, or the key C, starts the countdown."
            first.notes.append(about)

    def _put_answer(self, answer: Answer) -> None:
        """A folded part of the notebook."""
        kicker = self._exercise.title if self._exercise and self._exercise.name else self._title
        self._add_covered("answer", answer.summary, _capital(kicker), _parts_of(answer.text))
        self._slide.notes.append("The text appears at a key press.")

    def _put_question(self, question: Question) -> None:
        """A question, and its answer at a key press."""
        self._begin("quiz", f"Question {question.number}", self._section)
        for size in _QUIZ_SIZES:
            asked, answered = Part("text", question.text, size), Part("answer", question.answer, size - 4, "", True)
            if asked.height + answered.height <= measure.HEIGHT - 20:
                break
        self._slide.notes += [question.text, question.answer]
        self._slide.closed = True
        if asked.height + answered.height <= measure.HEIGHT - 20:
            self._slide.parts += [asked, answered] if question.answer else [asked]
            return
        self._slide.parts.append(Part("text", question.text, 28))
        self._begin("quiz", f"Question {question.number}: answer", self._section)
        self._slide.parts.append(Part("answer", question.answer, 26))
        self._slide.notes.append(question.answer)
        self._slide.closed = True

    def _put_code(self, cell: Code) -> None:
        if listing.only_prepares(cell.source) and not cell.printed:
            return
        guessed, self._guessing = self._guessing, False
        source = cell.source if cell.solution else listing.without_drawing(cell.source)
        source = listing.tidy(listing.computing(source) if cell.pictures and not cell.solution else source)
        if cell.solution and self._exercise:
            self._put_stub(cell, source)
        elif source:
            self._put_listing(source, cell, guessed)
        self._put_outputs(cell, guessed and bool(source))
        if cell.explained:
            self._add(Part("explained", cell.explained, 28, fragment=True))
        if cell.solution and not cell.explained:
            self._put_solution(cell)

    def _put_stub(self, cell: Code, source: str) -> None:
        """What an exercise starts from: below its task, if there is room."""
        parts = _listing(source, cell)
        if self._task and sum(part.height for part in parts) <= self._task.room:
            self._task.parts += parts
            return
        for part in parts:
            self._begin("plain", "To begin with", _capital(self._exercise.title))
            self._slide.parts.append(part)

    def _put_listing(self, source: str, cell: Code, guessed: bool) -> None:
        """Code, in as few pieces as fit, and what it printed below the last one."""
        printed = _printed(cell, guessed).height if cell.printed and not cell.pictures else 0
        below = printed if printed < measure.HEIGHT // 2 else 0
        *pieces, last = _listing(source, cell, below)
        for piece in pieces:
            self._add(piece)
            self._slide.closed = True
        self._add(last, below)

    def _put_outputs(self, cell: Code, guessed: bool) -> None:
        """Each figure as large as it can be, and what is printed below the last one."""
        printed = _printed(cell, guessed and not cell.pictures) if cell.printed else None
        for picture in cell.pictures:
            is_last = picture is cell.pictures[-1]
            below = printed.height if is_last and printed and printed.height <= _BELOW_PICTURE else 0
            self._put_picture(picture, below + _TAKEAWAY)
        if cell.pictures:
            self._slide.notes.append(f"Cell [{cell.number}] of the notebook draws this.")
        if printed:
            self._add(printed)

    def _put_picture(self, picture: Picture, below: int) -> None:
        least = min(measure.LEAST_PICTURE, measure.picture_height(picture.png, measure.HEIGHT - below - 12))
        self._make_room(least + 12 + below)
        size = measure.picture_height(picture.png, self._slide.room - below - 12)
        self._slide.parts.append(Part("picture", picture.png, size, picture.alt))
        self._slide.notes.append(f"*The figure.* {picture.alt}")

    def _put_solution(self, cell: Code) -> None:
        """The solution, below its exercise."""
        source = re.sub(r"^[ \t]*### (?:BEGIN|END) SOLUTION\n?", "", cell.solution, flags=re.MULTILINE)
        kicker = self._exercise.title if self._exercise else self._title
        parts = _listing(listing.tidy(source.rstrip("\n")), cell)
        self._add_covered("solution", "Solution", _capital(kicker), parts)
        self._slide.notes.append("The solution appears at a key press.")


def _listing(source: str, cell: Code | None = None, below: int = 0) -> list[Part]:
    """Code as one part, or as several if even small letters do not help; `below` is kept free under the last."""
    for count in range(1, source.count("\n") + 2):
        pieces = listing.split(source, count)
        for largest in _CODE_SIZES:
            sizes = [measure.fitting_size("code", piece, largest) for piece in pieces]
            heights = [measure.height("code", piece, size) for piece, size in zip(pieces, sizes, strict=True)]
            if max([*heights, heights[-1] + below]) <= measure.HEIGHT:
                return [
                    Part("code", piece, min(sizes), _label(cell, at, len(pieces))) for at, piece in enumerate(pieces, 1)
                ]
    raise AssertionError("a single line of code fits")


def _label(cell: Code | None, at: int, count: int) -> str:
    """Which cell of the notebook this is, and which piece of it."""
    return "" if cell is None else f"[{cell.number}]" + (f"\n{at} of {count}" if count > 1 else "")


def _printed(cell: Code, fragment: bool) -> Part:
    """What a cell printed."""
    kind = "error" if cell.failed else "printed"
    return Part(kind, cell.printed, measure.fitting_size(kind, cell.printed, 22), "", fragment)


def _parts_of(markdown: str) -> list[Part]:
    """Parts that show markdown as it stands."""
    return [part for block in read_markdown(markdown) for part in _parts(block, 28)]


def _parts(block: Block, size: int = 30) -> list[Part]:
    """Parts that show a block as it stands."""
    if isinstance(block, Heading):
        return [Part("text", f"**{block.title}**", size)]
    if not isinstance(block, Shown):
        return [Part("text", block.text, size)]
    if block.kind == "table":
        return _table(block.text)
    if block.kind == "code":
        return _listing(listing.tidy(re.sub(r"\A```\w*\n|\n?```\Z", "", block.text)))
    if block.kind == "equation":
        text = _rows(block.text)
        return [Part("equation", text, measure.fitting_size("equation", text, 40))]
    return [Part(block.kind, block.text, size)]


def _rows(equation: str) -> str:
    """An equation, or several below each other where one line would be long and has a wide gap to break at."""
    latex = equation.strip("$ \n")
    if visible_length(f"${latex}$") <= LONGEST_EQUATION:
        return equation
    rows: list[str] = []
    for piece in re.split(r"\\qquad\s*", latex):
        if rows and (re.fullmatch(r"\(\d+\)\s*", piece) or rows[-1].count(r"\begin") > rows[-1].count(r"\end")):
            rows[-1] += rf" \qquad {piece}"  # an equation's number, or what an environment goes on with
        else:
            rows.append(piece)
    return "\n\n".join(f"$$ {row} $$" for row in rows)


def _table(text: str) -> list[Part]:
    """A table in letters as large as fit, in several parts if it is long."""
    for size in _TABLE_SIZES:
        if measure.height("table", text, size) <= measure.HEIGHT - 60:
            return [Part("table", text, size)]
    head, rows = text.splitlines()[:2], text.splitlines()[2:]
    half = (len(rows) + 1) // 2
    return [part for piece in (rows[:half], rows[half:]) for part in _table("\n".join(head + piece))]


def _carry_on(column: list[Slide]) -> None:
    """A slide without a paragraph of its own keeps the notes of the one before: the speaker is still explaining."""
    for before, slide in pairwise(column):
        if not slide.notes and before.kind in _EXPLAINED:
            slide.notes = list(before.notes)


def _fill(slide: Slide) -> None:
    """Use the room that is left: larger figures or, where there are none, larger letters."""
    pictures = [part for part in slide.parts if part.kind == "picture"]
    if pictures:
        size = pictures[-1].size
        grown = replace(
            pictures[-1], size=max(size, measure.picture_height(pictures[-1].text, round(size + slide.room)))
        )
        slide.parts[slide.parts.index(pictures[-1])] = grown
        return
    reserve = COUNTDOWN if slide.has_large_countdown else 10
    for factor in _GROWTH:
        parts = [
            replace(part, size=max(part.size, measure.fitting_size(part.kind, part.text, part.size * factor)))
            for part in slide.parts
        ]
        if sum(part.height for part in parts) <= measure.HEIGHT - reserve:
            slide.parts = parts
            return


def _shorten(item: str) -> str:
    """A list item, or its first sentence if it is long; items with items of their own stay."""
    long = visible_length(item) > LONGEST_ITEM and not re.search(r"\n\s+(?:[*+-]|\d+\.)\s|\n\s*\n", item)
    return first_sentence(item) if long else item


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
