"""A whole study on the embedded task: no file, no network, no GPU.

Five tf-idf voters learn from 200 labelled sentences and vote on 300 others; a probe on the frozen
first half of MiniLM learns from their votes. Floor, naive, majority, ceiling and the control of
`filter` are added automatically.
"""

import steelyard as sy


def main() -> None:
    result = sy.study(
        {
            "name": "first-run",
            "task": "classification",
            "data": {
                "generated": "errands",
                "weak_train": 200,
                "strong_train": 300,
                "max_test": 250,
            },
            "supervisors": [{"kind": "tfidf", "voters": 5}],
            "student": {"kind": "probe", "model": "minilm", "layers": 3},
            "arms": ["filter"],
            "seeds": 3,
        },
        "runs/first-run",
        workers=1,
    )
    print(result)
    print(f"report: {result.report}")


if __name__ == "__main__":
    main()
