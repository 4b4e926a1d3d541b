# The two commands of the README: `make start` and `make test`. Everything they need is set up in .venv.
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST_ARGS ?=

.PHONY: help start test check bench format lock docs clean

help: ## Show the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

start: ## Set up and run the sandbox with the demo world
	@sh tools/setup.sh server
	@$(BIN)/polynym start

test: ## Set up (PostgreSQL too) and run every test
	@sh tools/setup.sh dev
	$(BIN)/pytest $(PYTEST_ARGS)

check: ## Lint, import order, types, generated pages
	@sh tools/setup.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m tools.reference --check

bench: ## Measure the ratios of docs/reference/bench.md (takes minutes)
	@sh tools/setup.sh dev
	$(BIN)/python -m bench

format: ## Format the code
	@sh tools/setup.sh dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: ## Write the generated reference pages
	@sh tools/setup.sh dev
	$(BIN)/python -m tools.reference

lock: ## Pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra server --extra postgres --extra embedded --group build \
	  --generate-hashes --no-emit-index-url --universal --python-version 3.11 --no-header -q -o requirements/server.txt
	uv pip compile pyproject.toml --extra server --extra postgres --extra embedded --group build --group test --group check \
	  --generate-hashes --no-emit-index-url --universal --python-version 3.11 --no-header -q \
	  -c requirements/server.txt -o requirements/dev.txt

clean: ## Remove what the commands above made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
