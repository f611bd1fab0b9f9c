"""How the notebooks are built, checked and shown. The package `course_utils` never imports from here."""
