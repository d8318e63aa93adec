"""The command line of the engine with tiny fields, as a program: for tests of its processes."""

import sys

from tiny_fields import tiny_fields

from pvd_engine.cli import main

if __name__ == "__main__":
    with tiny_fields():
        sys.exit(main())
