"""Votes without any truth: which labels and voters to trust, and which items to label again."""

from pathlib import Path

import steelyard as sy

VOTES = """\
id,ann,bob,cyd,bot
mail-1,spam,spam,spam,ham
mail-2,ham,ham,ham,ham
mail-3,spam,spam,ham,ham
mail-4,ham,ham,ham,ham
mail-5,spam,,spam,ham
mail-6,ham,spam,ham,ham
mail-7,spam,spam,spam,ham
mail-8,,ham,ham,ham
"""


def main() -> None:
    # One column per voter; an empty cell is no vote. `id, voter, answer` rows work too.
    Path("votes.csv").write_text(VOTES)
    result = sy.weigh("votes.csv", out="weighed")

    # Labels, and how far each can be trusted.
    trust, labels = result.reliabilities[result.method], result.labels[result.method]
    for name, label, score in zip(trust.ids, labels, trust.score, strict=True):
        print(f"{name}  {result.votes.classes[label]:<5} {score:.2f}")

    # Voters, with the interval of their accuracy.
    for voter in result.summary["by_voter"]:
        span = voter["accuracy"]
        print(f"{voter['voter']}  {span['value']:.2f}  [{span['low']:.2f}, {span['high']:.2f}]")

    # Where one more vote would reduce uncertainty most.
    again = result.summary["relabel"]
    print("ask again:", ", ".join(item["id"] for item in again[:2]) or "nothing")
    print(f"report: {result.report}")


if __name__ == "__main__":
    main()
