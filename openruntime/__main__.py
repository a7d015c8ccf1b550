"""`python -m openruntime` is the program `openruntime`."""

from openruntime.cli import main

if __name__ == "__main__":
    main()
