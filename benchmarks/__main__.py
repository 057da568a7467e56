"""`make bench`: every benchmark, as tables and as JSON in benchmarks/results/.

python -m benchmarks                   all of them, tens of minutes
python -m benchmarks --quick           smaller work and fewer turns, a few minutes; keeps nothing
python -m benchmarks training asking   some of them
"""

import argparse
import importlib

NAMES = (
    "training",
    "asking",
    "conventions",
    "sampling",
    "studies",
    "probes",
    "estimators",
    "startup",
    "growth",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="less work; keeps nothing")
    options = parser.parse_args()
    for name in options.names:
        if name not in NAMES:
            parser.error(f"no benchmark {name!r}; there are {', '.join(NAMES)}")
    for name in options.names or NAMES:
        print(f"\n{name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main(options.quick)


if __name__ == "__main__":
    main()
