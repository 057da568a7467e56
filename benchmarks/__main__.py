"""`make bench`: every benchmark, as a table and as JSON in benchmarks/results/."""

import json
from pathlib import Path

from benchmarks import crowd, estimators
from benchmarks.training import compare
from steelyard.results import environment

if __name__ == "__main__":
    rows = compare()
    for row in rows:
        print(
            f"{row['side']:<44}{row['examples_per_second']:>9.1f} examples/s{row['ratio']:>7.2f} x"
        )
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    content = {"environment": environment(), "training": rows}
    (folder / "training.json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: benchmarks/results/{'training.json'}")
    estimators.main()
    crowd.main(Path("../shared/data"))
