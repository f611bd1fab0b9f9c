"""The instructor's guide says what the course does: names, minutes, headings, hints, links and plans agree."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from course_utils import platforms
from course_utils.exercises import verdict
from course_utils.exercises.exercise import EXERCISES, PREDICTIONS, load_chapters
from tests.exercises import attempts
from tests.test_project import MACHINE_PATH
from tools import chapters
from tools.project import ROOT, repository

load_chapters()
attempts.load()

FILE = ROOT / "instructor" / "guide.md"
GUIDE = FILE.read_text(encoding="utf-8")
PARTS = (
    "Goals",
    "Sections",
    "Draw on the board",
    "Wrong answers to expect",
    "Questions to ask",
    "Predictions worth a show of hands",
)
NAME = re.compile(r"(?<![\w.])\d\d\.[A-Za-z_]\w*")
CHAPTERS = {chapter.number: chapter for chapter in chapters.find()}
each_chapter = pytest.mark.parametrize("number", CHAPTERS)


def without_code(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def part(text, heading):
    """What stands below a heading, up to the next one of its level or above."""
    level, _, _ = heading.partition(" ")
    below = rf"^{re.escape(heading)}[^\n]*\n(.*?)(?=^#{{1,{len(level)}}} |\Z)"
    found = re.search(below, text, re.MULTILINE | re.DOTALL)
    assert found, f"the guide has no heading {heading!r}"
    return found[1]


def table(text):
    """The rows of the first table below its heading, as lists of cells."""
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows[2:]]


def minutes(names):
    return sum(EXERCISES[name].minutes for name in names)


def of_chapter(number):
    return part(part(GUIDE, "## Chapter by chapter"), f"### {number} ·")


def sections_of(number):
    """Section -> minutes of reading, from the guide's table."""
    return {title: int(reading) for title, reading, _ in table(part(of_chapter(number), "#### Sections"))}


def source_of(number):
    return CHAPTERS[number].source.read_text(encoding="utf-8")


def reading_time(number):
    return int(re.search(r"about (\d+) minutes of reading", source_of(number))[1])


@each_chapter
def test_a_chapter_has_all_parts(number):
    chapter = CHAPTERS[number]
    assert f"\n##{chapter.heading}\n" in GUIDE
    assert re.findall(r"^#### (.*)$", of_chapter(number), re.MULTILINE) == list(PARTS)
    assert all(part(of_chapter(number), f"#### {name}").strip() for name in PARTS)


@each_chapter
def test_sections_are_those_of_the_chapter_and_hold_their_exercises_with_their_minutes(number):
    """Read from the source: the numbered headings in order, each with the exercises that stand below it."""
    expected = {}
    for line in source_of(number).splitlines():
        if heading := re.match(r"# ## (.*)", line):
            section = heading[1]
            if section[0].isdigit() or section == "Quiz":
                expected[section] = []
        elif found := re.match(r"# \{\{exercise (\S+)\}\}", line):
            expected[section].append((found[1], EXERCISES[found[1]].minutes))
    rows = table(part(of_chapter(number), "#### Sections"))
    in_guide = {
        title: [(name, int(count)) for name, count in re.findall(r"(\S+) \((\d+)\)", exercises)]
        for title, _, exercises in rows
    }
    assert in_guide == expected
    assert list(in_guide) == list(expected)


def test_every_exercise_stands_in_a_table_of_sections():
    named = {name for number in CHAPTERS for name in NAME.findall(part(of_chapter(number), "#### Sections"))}
    assert named == set(EXERCISES)


@each_chapter
def test_the_minutes_of_the_sections_are_the_chapters_reading_time(number):
    assert sum(sections_of(number).values()) == pytest.approx(reading_time(number), rel=0.1)


def test_every_name_in_the_guide_exists():
    unknown = {name for name in NAME.findall(GUIDE) if name not in EXERCISES and name not in PREDICTIONS}
    assert not unknown


@each_chapter
def test_predictions_are_those_of_the_chapter(number):
    named = re.findall(r"\*\*(\d\d\.\w+)\*\*", part(of_chapter(number), "#### Predictions worth a show of hands"))
    assert len(named) >= 2
    assert all(PREDICTIONS[name].chapter == number for name in named)


def wrong_answers():
    for number in CHAPTERS:
        for answer, hint, *_ in table(part(of_chapter(number), "#### Wrong answers to expect")):
            name, _, label = answer.partition(": ")
            yield pytest.param(number, name, label, hint.strip('"'), id=answer)


@pytest.mark.parametrize("number, name, label, hint", list(wrong_answers()))
def test_a_wrong_answer_gets_the_hint_in_the_guide(number, name, label, hint):
    found = [attempt for attempt in attempts.WRONG if (attempt.exercise, attempt.label) == (name, label)]
    assert len(found) == 1, f"tests/exercises/attempts_{number}.py has no wrong attempt at {name} called {label!r}"
    assert name.startswith(number)
    assert hint in verdict.judge(EXERCISES[name], found[0].value).words


@each_chapter
def test_there_are_enough_wrong_answers_and_questions(number):
    assert 4 <= len(table(part(of_chapter(number), "#### Wrong answers to expect"))) <= 8
    assert all(len(row) == 4 for row in table(part(of_chapter(number), "#### Wrong answers to expect")))
    assert len(re.findall(r"^\* ", part(of_chapter(number), "#### Questions to ask"), re.MULTILINE)) >= 4


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings():
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code(GUIDE)) if "://" not in link]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        file = (FILE.parent / name).resolve() if name else FILE
        assert file.is_file(), link
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), link


def test_commands_and_messages_are_those_of_the_course():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    # In code alone: "make notebooks", not "to make up one's mind".
    assert set(re.findall(r"`make (\w+)", GUIDE)) <= targets
    as_one_line = re.sub(r"\s+", " ", GUIDE)
    quoted = re.search(r'"(The course could not be installed\. [^"]*)"', as_one_line)[1]
    assert quoted in chapters.SETUP
    assert as_one_line.count("is visible but does not compute") == 2
    assert "is visible but does not compute" in Path(platforms.__file__).read_text(encoding="utf-8")
    for owner, slug in platforms.KAGGLE_DATASETS.values():
        assert f"`{platforms.KAGGLE_INPUT}/{slug}`" in GUIDE
        assert f"`{platforms.KAGGLE_INPUT}/datasets/{owner}/{slug}`" in GUIDE


def numbers_in(text):
    """The sections that a plan names: "sections 1, 2 and 4" or "sections 1 to 4"."""
    found = re.search(r"sections? ([\d, andto]+)", text)[1]
    if spread := re.search(r"(\d+) to (\d+)", found):
        return [str(number) for number in range(int(spread[1]), int(spread[2]) + 1)]
    return re.findall(r"\d+", found)


def test_the_day_has_room_for_what_it_plans():
    """Reading, and half of it again for questions unless it is shown as slides, and the exercises fit every slot."""
    plan = part(GUIDE, "### One day")
    rows = table(plan)
    starts = [datetime.strptime(row[0], "%H:%M") for row in rows]
    slots = [(end - start).seconds // 60 for start, end in zip(starts, starts[1:], strict=False)]
    hours = int(re.search(r"^### One day \((\d+) hours of class\)$", GUIDE, re.MULTILINE)[1])
    pause = {"Break", "Lunch"}
    assert starts == sorted(starts)
    assert sum(slot for slot, row in zip(slots, rows, strict=False) if row[1] not in pause) == 60 * hours
    for slot, (start, what, exercises) in zip(slots, rows, strict=False):
        if number := re.match(r"Chapter (\d\d)", what):
            sections = numbers_in(what)
            read = sum(time for title, time in sections_of(number[1]).items() if title.split(".")[0] in sections)
            talk = read * (1 if "slides" in what else 1.5)
            names = NAME.findall(exercises)
            assert all(name.startswith(number[1]) for name in names)
            assert talk + minutes(names) <= slot, start


def test_the_evenings_have_room_for_what_they_plan():
    plan = part(GUIDE, "### Five evenings")
    room = int(re.search(r"(\d+) minutes are left", plan)[1])
    assert room == 3 * 60 - 20
    for evening, numbers, talk, build, in_class, at_home in table(plan):
        names, rest = NAME.findall(in_class), NAME.findall(at_home)
        assert minutes(names) == int(build), evening
        assert int(talk) + int(build) <= room, evening
        assert not set(names) & set(rest)
        if "the rest" not in at_home:
            expected = [name for name, exercise in EXERCISES.items() if exercise.chapter in numbers.split(", ")]
            assert sorted(names + rest) == sorted(expected), evening
        if evening != "1":  # there, some sections are left for reading at home
            assert int(talk) >= 1.5 * sum(map(reading_time, numbers.split(", "))), evening


def test_the_lab_has_room_for_what_it_plans():
    days = table(part(GUIDE, "### A two-week lab"))
    assert [row[0] for row in days] == [str(day) for day in range(1, 11)]
    planned = [row[1].split(", ") for row in days if row[1]]
    assert sorted({number for numbers in planned for number in numbers}) == list(CHAPTERS)
    for numbers in planned:
        names = [name for name, exercise in EXERCISES.items() if exercise.chapter in numbers]
        need = 1.5 * sum(map(reading_time, numbers)) + minutes(names)
        assert need <= 4 * 60 * planned.count(numbers), numbers


def test_the_text_is_kept_in_form():
    assert all(len(line) <= 120 or line.startswith("|") for line in GUIDE.splitlines())
    assert not MACHINE_PATH.search(GUIDE)
    assert repository() not in GUIDE, "the address stands in one place, pyproject.toml"
