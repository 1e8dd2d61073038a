# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
N ?= 10000
SECONDS ?= 3
BIN = $(VENV)/bin

.PHONY: help run test test-cluster test-mysql lint format types coverage bench bench-large deploy requirements clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: $(VENV)/installed  ## install, make the instance, load a sample, serve (PORT=8000, HOST=127.0.0.1)
	$(BIN)/bookapi init
	$(BIN)/bookapi books sample
	exec $(BIN)/bookapi serve --host $(HOST) --port $(PORT)

test: $(VENV)/installed-test  ## install, run the tests (DATABASE_URL=mariadb://… to run them there; PYTEST="-k name")
	DATABASE_URL="$(DATABASE_URL)" $(BIN)/python -m pytest $(if $(DATABASE_URL),,-n 2 --dist loadfile) $(PYTEST)

lint: $(VENV)/installed-test  ## check style and known security mistakes (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/installed-test  ## format the code and sort the imports (ruff)
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

types: $(VENV)/installed-test  ## check the types (mypy)
	$(BIN)/mypy

coverage: $(VENV)/installed-test  ## run the tests and print which lines they miss
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term $(PYTEST)

bench: $(VENV)/installed  ## measure the service (N=10000 books, SECONDS=3 a turn, WORK=list,search; see benchmarks/)
	$(BIN)/python -m benchmarks.run --books $(N) --seconds $(SECONDS) $(if $(WORK),--work $(WORK))

test-cluster: $(VENV)/installed-test  ## Galera and MariaDB that fail (needs mariadb-server, galera-4, haproxy, rsync, socat)
	$(BIN)/python -m pytest -m cluster -s tests/cluster

MYSQL_TESTS ?= tests/databases tests/http/books tests/http/test_lists.py tests/http/search
test-mysql: $(VENV)/installed-test  ## the tests of databases, books and search on a real MySQL 9 (MYSQL_PREFIX=/ for an installed one)
	tests/databases/with-mysql $(BIN)/python -m pytest $(MYSQL_TESTS) $(PYTEST)

deploy: $(VENV)/installed  ## write deploy/ anew, after a change of its templates
	BOOKAPI_INSTANCE_PATH=$(VENV) $(BIN)/bookapi genconfig all --directory deploy

bench-large: $(VENV)/installed  ## measure reads of a large catalogue (N=100000 books)
	$(BIN)/python -m benchmarks.large --books $(N) $(if $(FOLDER),--folder $(FOLDER))

requirements: $(VENV)/installed-test  ## pin the newest versions of everything, with hashes
	$(BIN)/pip install pip-tools
	$(BIN)/pip-compile $(PINNED) -o requirements.txt setup.cfg
	$(BIN)/pip-compile $(PINNED) --extra test -c requirements.txt -o requirements-test.txt setup.cfg
	$(BIN)/pip-compile $(PINNED) --extra test --extra ci -c requirements-test.txt -o requirements-ci.txt setup.cfg
	echo 'pysqlite3>=0.6' | $(BIN)/pip-compile $(PINNED) -o requirements-sqlite.txt -

PINNED = -q --upgrade --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-find-links

clean:  ## remove what was installed and built; the instance stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make $(MAKECMDGOALS) PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "the venv module is needed (Debian: the package python3-venv)" >&2; exit 1; }

$(VENV)/installed: requirements.txt requirements-sqlite.txt setup.cfg | $(VENV)/bin/python
	$(BIN)/pip install --disable-pip-version-check -q --require-hashes -r requirements.txt
	@$(BIN)/pip install --disable-pip-version-check -q --only-binary :all: --require-hashes -r requirements-sqlite.txt \
		2>/dev/null || echo "no pysqlite3 wheel for this machine: using the SQLite that Python ships" >&2
	$(BIN)/pip install --disable-pip-version-check -q --no-deps -e .
	@touch $@

$(VENV)/installed-ci: requirements-ci.txt $(VENV)/installed-test
	$(BIN)/pip install --disable-pip-version-check -q --require-hashes -r requirements-ci.txt
	@touch $@

$(VENV)/installed-test: requirements-test.txt $(VENV)/installed
	$(BIN)/pip install --disable-pip-version-check -q --require-hashes -r requirements-test.txt
	@touch $@
