# make help lists the targets. The first one to run sets up .venv with everything in it; nothing else is touched.

PYTHON ?=
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
# Build only some chapters: make notebooks CHAPTERS="04 05"
CHAPTERS ?=

.DEFAULT_GOAL := help
.PHONY: help course test lab notebooks assignment readme bench weights clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1  /p' $(MAKEFILE_LIST) | awk '{printf "  make %-10s ", $$2; $$1=$$2=""; print}'

course: $(READY) ## run every chapter; notebooks and HTML pages go to build/course/
	$(PY) -m tools.run_course $(CHAPTERS)

test: $(READY) ## lint, the rebuild check, every test, every stored output
	$(PY) -m ruff check .
	$(PY) -m tools.check_notebooks
	$(PY) -m pytest --nbval -n 2 --dist loadscope --no-loadscope-reorder tests notebooks

lab: $(READY) ## open the chapters in JupyterLab
	$(PY) -m jupyterlab notebooks

notebooks: $(READY) ## build notebooks/*.ipynb from notebooks/source/*.py
	$(PY) -m tools.build_notebooks $(CHAPTERS)

assignment: $(READY) ## chapters as nbgrader assignments, in build/nbgrader
	$(PY) -m tools.assignment $(CHAPTERS)

slides: $(READY) ## one deck of slides per chapter, to build/slides/; CHAPTERS picks some
	$(PY) -m tools.slides $(CHAPTERS)

readme: $(READY) ## regenerate the README's chapter table and picture
	$(PY) -m tools.readme

bench: $(READY) ## speed and memory, as ratios within one run
	$(PY) -m tools.bench

weights: $(READY) ## retrain the small MTAN that ships with the package
	$(PY) -m tools.train_weights

clean: ## remove what was built, .venv included
	rm -rf $(VENV) build

# The stamp is written last: a set-up that was cut short is begun again, a finished one only brought up to date.
$(READY): pyproject.toml constraints.txt
	@test -f $@ || tools/make_venv.sh $(VENV) $(PYTHON)
	@echo "Installing into $(VENV): a few minutes and about 5 GB the first time."
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[course,test]"
	@touch $@
