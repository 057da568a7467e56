"""Your own data: two files of rows and one study file, in any folder."""

import json
import tempfile
from pathlib import Path

import steelyard as sy

STUDY = """
task: classification
data: {train: train.jsonl, test: test.jsonl, weak_train: 40, strong_train: 120}
supervisors:
  - {kind: tfidf, voters: 3}
student: {kind: probe, model: minilm, layers: 1}
arms: [soft]
seeds: 2
"""
PLACES = ("kitchen", "garden", "office", "station", "harbour", "library", "museum", "market")
GOOD = ("lovely", "superb", "charming", "pleasant", "delightful", "splendid", "cosy", "brilliant")
BAD = ("awful", "dreadful", "filthy", "boring", "horrible", "gloomy", "shabby", "terrible")


def rows(first: str, last: str) -> list[dict[str, str]]:
    """One row for each word and place; `id`, `text` and `label` are all that is needed."""
    return [
        {"id": f"{word}-{place}", "text": f"{first} {place} was {word}{last}", "label": label}
        for label, words in (("praise", GOOD), ("complaint", BAD))
        for word in words
        for place in PLACES
    ]


def write(path: Path, table: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = rows("The", ".") + rows("I found that the", " last week.")
        for number, row in enumerate(train):
            row["id"] = f"train-{number}"
        write(folder / "train.jsonl", train)
        write(folder / "test.jsonl", rows("My aunt said the", " and left."))
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
        # On the command line: steelyard study study.yaml --out run
        result = sy.study(folder / "study.yaml", folder / "run", workers=1)
        print(result)
        print("written:", ", ".join(sorted(path.name for path in result.folder.iterdir())))


if __name__ == "__main__":
    main()
