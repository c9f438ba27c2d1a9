"""``python -m intermask``."""

from intermask.cli import main

if __name__ == "__main__":
    main()
