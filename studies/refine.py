"""A study of customer reviews on 13 data sets: `python studies/refine.py FOLDER [SET...]`.

`--study strategies` runs strategies-customer_reviews.yaml in place of refine-customer_reviews.yaml,
`--study finetuned` finetuned-customer_reviews.yaml.
FOLDER gets one run per set, each resumable. Then `python studies/keep.py FOLDER/*` keeps the
results, and `steelyard compare FOLDER/*` sums them up.
"""

import argparse
from pathlib import Path

import yaml

import steelyard as sy

HERE = Path(__file__).parent
CHOSEN_ON = ("sst2", "trec", "davidson_hate", "subj", "rotten_tomatoes")
"""Sets on which the settings of `refine` and of the probe were chosen."""
OTHERS = (
    *("customer_reviews", "ag_news", "goemotions_ekman", "wts_safety", "ethics_cm"),
    *("ethics_justice", "ethics_deontology", "real_toxicity_prompts"),
)
MACRO_F1 = ("davidson_hate", "goemotions_ekman")


def main(folder: Path, names: list[str], name_of_study: str) -> None:
    file = HERE / f"{name_of_study}-customer_reviews.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name in names or [*OTHERS, *CHOSEN_ON]:
        data = {
            **settings["data"],
            "train": str(HERE / f"../../shared/data/{name}/train.jsonl.gz"),
            "test": str(HERE / f"../../shared/data/{name}/test.jsonl.gz"),
        }
        metric = {"metric": "macro_f1"} if name in MACRO_F1 else {}
        study = {**settings, "name": f"{name_of_study}-{name}", "data": data, **metric}
        result = sy.study(study, folder / name, workers=1)
        scores = {arm: part["score"] for arm, part in result.results["arms"].items()}
        print(name, {arm: round(s["value"], 3) for arm, s in scores.items() if s}, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--study", default="refine", choices=["refine", "strategies", "finetuned"])
    given = parser.parse_args()
    main(given.folder, given.sets, given.study)
