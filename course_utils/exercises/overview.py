"""The drawing of what a student has done: one row per chapter, one sign per exercise and prediction."""

from collections.abc import Iterable, Mapping

from course_utils.exercises.exercise import EXERCISES, PREDICTIONS, Exercise, load_chapters

SIGNS = {"done": "■", "tried": "▨", "": "□"}
GUESSED = {"done": "●", "tried": "○", "": "○"}


def overview(states: Mapping[str, str]) -> str:
    """Rows of signs, then what is left and what comes next.

    Args:
        states: name of an exercise or prediction -> "tried" or "done"; other names are passed over.
    """
    load_chapters()
    chapters = sorted({exercise.chapter for exercise in EXERCISES.values()})
    width = max(len(_of(chapter, EXERCISES)) for chapter in chapters)
    lines = [f"chapter  {'exercises':<{width + 10}} guesses"]
    for chapter in chapters:
        exercises = _signs(_of(chapter, EXERCISES), SIGNS, states)
        guesses = _signs(_of(chapter, PREDICTIONS), GUESSED, states)
        count = f"{exercises.count(SIGNS['done'])} of {len(exercises)}"
        lines.append(f"  {chapter}     {exercises:<{width}} {count:<8}  {guesses}")
    in_order = sorted(EXERCISES.values(), key=lambda exercise: exercise.chapter)  # stable within a chapter
    done = [exercise for exercise in in_order if states.get(exercise.name) == "done"]
    left = [exercise for exercise in in_order if states.get(exercise.name) != "done"]
    lines.append(f"{SIGNS['done']} correct   {SIGNS['tried']} tried   {SIGNS['']} open   {GUESSED['done']} guessed")
    lines.append(_summary(done, left))
    return "\n".join(lines)


def _of(chapter: str, table: Mapping[str, object]) -> list[str]:
    return [name for name in table if name.startswith(f"{chapter}.")]


def _signs(names: Iterable[str], signs: Mapping[str, str], states: Mapping[str, str]) -> str:
    return "".join(signs.get(states.get(name, ""), signs[""]) for name in names)


def _summary(done: list[Exercise], left: list[Exercise]) -> str:
    together = f"{len(done)} of {len(done) + len(left)} exercises are correct"
    if not left:
        return f"{together}. The course is yours."
    hours = sum(exercise.minutes for exercise in left) / 60
    first = left[0]
    ahead = f"Next: {first.name}, {first.title} ({first.minutes} minutes)."
    return f"{together}, about {hours:.1f} hours are left.\n{ahead}"
