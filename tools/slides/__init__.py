"""Slides for whoever teaches the course: one HTML deck per chapter, derived from the chapter's two notebooks.

A chapter is written once. What the notebook says in paragraphs is what a teacher says in class, so it becomes the
speaker notes; what the class should look at, equations, tables, code, outputs, figures, exercises, is on the slides.

    blocks.py     the two notebooks -> what a chapter consists of, in order
    wording.py    the sentences of a text that are shown
    listing.py    code that can be read from the last row
    measure.py    how much room a piece of a slide needs
    layout.py     blocks -> columns of slides, none fuller than its screen
    deck.py       slides -> one HTML file with everything in it

deck.css, deck.js and the two templates hold the looks.
"""
