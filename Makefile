# `make check` is what has to pass before a change is shared; it takes the Python of the active
# environment (README, "Set up").
.PHONY: check lint types tests heavy

check: lint types tests

lint:
	ruff check
	ruff format --check

types:
	mypy

tests:
	pytest

# Minutes of work or gigabytes of memory, such as a full-size import of released weights.
heavy:
	pytest -m heavy
