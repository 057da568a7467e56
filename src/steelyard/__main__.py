"""`python -m steelyard` is the command `steelyard`."""

from steelyard.cli.main import run

if __name__ == "__main__":
    run()
