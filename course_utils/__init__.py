"""The code that the students of the MTAN course build, chapter by chapter.

Importing the package loads nothing heavy; import the piece you need:

    from course_utils import data, models, tasks, weighting
    from course_utils.training import evaluate, fit
"""

__version__ = "0.1.0"
