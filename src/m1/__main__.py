"""`python -m m1`."""

import sys

from m1.cli import main

if __name__ == "__main__":
    sys.exit(main())
