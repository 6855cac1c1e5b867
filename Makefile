# One command each; every one does its own set-up and may be run again.
PY := .venv/bin
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --quiet
.PHONY: setup demo test soak check format lint types imports bench pictures lock

setup: .venv/.done            # native packages, the locked environment, the two commands
.venv/.done: pyproject.toml requirements/dev.lock requirements/tools.lock scripts/bootstrap
	@scripts/bootstrap >&2
	@touch $@

demo: setup                   # everything on one machine: server, two counters' data, cards, the screen
	$(PY)/mykey demo

test: setup                   # two files at a time; ARGS="-n0 …" for one, as with --pdb
	$(PY)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: setup                   # the proofs at full length; MYKEY_SOAK=0.1 is a tenth
	MYKEY_SOAK=$${MYKEY_SOAK:-1} nice $(PY)/pytest -s tests/proofs tests/server/test_postgresql_proofs.py tests/pcscd/test_the_next_tap.py tests/pcscd/test_beside_opensc.py $(ARGS)

check: lint types imports test

format: setup                 # writes; `lint` only looks
	$(PY)/ruff format .
	$(PY)/ruff check --fix .

lint: setup
	$(PY)/ruff format --check .
	$(PY)/ruff check .

types: setup
	$(PY)/mypy

imports: setup
	PYTHONPATH=.:server $(PY)/lint-imports --no-cache

bench: setup                  # figures as JSON on standard output; see docs/benchmarks.md
	@$(PY)/python -m bench

pictures: setup               # the documents' PNGs, made from the running program
	$(PY)/python scripts/pictures.py

lock: setup                   # the only step that asks a package index for new versions
	.tools/bin/uv pip compile requirements/tools.in $(LOCK) -o requirements/tools.lock
	.tools/bin/uv pip compile pyproject.toml $(LOCK) --all-extras --group dev -o requirements/dev.lock
	.tools/bin/uv pip compile pyproject.toml $(LOCK) --extra counter -o requirements/counter.lock
	.tools/bin/uv pip compile pyproject.toml $(LOCK) --extra server -o requirements/server.lock
