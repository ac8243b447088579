# prototools: `make help` lists the goals.

PYTHON ?= python3
VENV   ?= .venv
BUILD  ?= build
CORPUS ?= ../shared/corpus

BIN     := $(VENV)/bin
SOURCES := $(shell find prototools proto templates -type f ! -name '*.pyc')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help convert verify test caffe lint docs examples proto corpus-report clean

help:  ## list the goals
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

convert:  ## rewrite the networks below SRC (examples/) into OUT (build/), with the options ARGS
verify:  ## compare what convert made with what it was made from, and note it in OUT/NAME.verified

# What users include in their own Makefile; it tells the other variables.
ifneq ($(filter convert verify,$(MAKECMDGOALS)),)
SRC                ?= examples
OUT                ?= $(BUILD)
PROTOTOOLS         ?= $(BIN)/prototools
PROTOTOOLS_DEPENDS := $(VENV)/installed $(SOURCES)
include prototools/makefiles/prototools.mk
endif

test: $(VENV)/tested-with caffe  ## install what the tests need, set up real Caffe, run the tests
	$(BIN)/python -m pytest $(ARGS)

# Without real Caffe the tests that need it say so themselves; in CI they fail.
caffe: $(VENV)/installed  ## set up real Caffe for the tests, without root and without a build
	-@$(BIN)/prototools caffe setup

lint: $(VENV)/linted-with  ## check the style of the code
	$(BIN)/ruff check .

docs: $(VENV)/installed  ## write the pages that come from docstrings again
	$(BIN)/python docs/generate.py

examples: $(VENV)/installed  ## generate the networks under examples/ again
	$(BIN)/python examples/generate.py

proto: $(VENV)/tested-with  ## compile proto/caffe.proto again
	$(BIN)/python -m grpc_tools.protoc -I proto --descriptor_set_out=proto/caffe.desc proto/caffe.proto

corpus-report: $(VENV)/installed  ## rewrite every network below CORPUS and print a table
	$(BIN)/python -m prototools.corpus $(CORPUS)

clean:  ## remove what make made
	rm -rf $(BUILD) $(VENV) *.egg-info

# ---------------------------------------------------------------- the project's own environment

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python setup.cfg setup.py
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@# An editable install compiles nothing, and where Python may not either, every command would take much longer.
	$(BIN)/python -m compileall -q prototools
	@touch $@

$(VENV)/tested-with: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/linted-with: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[lint]'
	@touch $@
