"""Labels of several annotators, no truth: one label each, and which annotators to trust."""

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
    # One column per voter; an empty cell is no vote. Rows of `id, voter, answer` work too, and
    # so do a pandas DataFrame and a list of rows in place of a file.
    Path("votes.csv").write_text(VOTES)
    result = sy.weigh("votes.csv", out="weighed")

    # Labels, and how far each can be trusted. With pandas: result.to_pandas().
    scores = result.reliabilities[result.method].score
    for (name, label), score in zip(result.label_by_id.items(), scores, strict=True):
        print(f"{name}  {label:<5} {score:.2f}")

    # Voters and their accuracy. With pandas: result.voters_to_pandas().
    for voter in result.summary["by_voter"]:
        span = voter["accuracy"]
        print(f"{voter['voter']}  {span['value']:.2f}  [{span['low']:.2f}, {span['high']:.2f}]")

    # Items for which another vote would reduce uncertainty most.
    again = result.summary["relabel"]
    print("label again:", ", ".join(item["id"] for item in again[:2]) or "nothing")
    print(f"report: {result.report}")


if __name__ == "__main__":
    main()
