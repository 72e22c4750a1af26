"""`python -m symloss`: the command line, where the console script is not on the path."""

from symloss.cli import main

if __name__ == "__main__":
    main()
