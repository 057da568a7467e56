"""The recommended arm in words and as a table."""

from steelyard.report.formats import Results, amount, interval, number, percent, plain
from steelyard.report.study_tables import Grid, make_grid

ADVICE = {
    "majority": "keep the majority's answers",
    "gold_only": "train on the true labels of weak_train alone",
}


def recommendation_sentence(results: Results) -> str:
    """Which arm to choose and why, from nothing that is not known in practice; empty without."""
    chosen: Results = results.get("recommendation") or {}
    arm = chosen.get("arm")
    if not arm:
        return ""
    row: Results = chosen["candidates"][arm]
    what = ADVICE.get(arm, f"choose `{plain(arm)}`")
    gain = f", expected gain over the majority {interval(row['gain'])}" if row["gain"] else ""
    low, high = row["rank"]
    rank = f"rank {low}" if low == high else f"rank {low} to {high}"
    return (
        f"Recommended, without the truth of strong_train or test: {what}{gain} "
        f"({rank} of {len(chosen['candidates'])}, best with probability {percent(row['best'])})."
    )


def recommendation_reasons(results: Results) -> str:
    """What the recommendation rests on."""
    chosen: Results = results.get("recommendation") or {}
    if not chosen:
        return ""
    if not chosen.get("arm"):
        return f"No arm is recommended: {plain(chosen.get('reason'))}."
    parts, arm = [], chosen["arm"]
    rows: Results = chosen["candidates"]
    if chosen.get("rows"):
        others = [name for name in ("majority", "gold_only") if name in rows and name != arm]
        compared = ", ".join(f"{name} {number(rows[name]['tried'])}" for name in others)
        parts.append(
            f"On the {amount(chosen['rows'], 'labelled row')} of weak_train, each held out once, "
            f"{plain(arm)} scores {number(rows[arm]['tried'])} ({compared})"
        )
    else:
        parts.append(f"Nothing was tried: {plain(chosen['reason'])}")
    if chosen["past_sets"]:
        sets = amount(chosen["past_sets"], "other data set")
        parts.append(f"past studies on {sets} say how far gains vary")
    text = "; ".join(parts) + "."
    if chosen["votes_alone"] != arm:
        text += f" Of those that learn no true label: {plain(chosen['votes_alone'])}."
    return text


def recommendation_grid(results: Results) -> Grid | None:
    """What is expected of each arm."""
    chosen: Results = results.get("recommendation") or {}
    rows = (
        (
            plain(name),
            number(row["tried"]),
            interval(row["gain"]) if row["gain"] else "0",
            "-".join(map(str, dict.fromkeys(row["rank"]))),
            percent(row["best"]),
        )
        for name, row in (chosen.get("candidates") or {}).items()
    )
    header = ("arm", "score on weak_train", "expected gain over majority", "rank (90 %)", "best")
    return make_grid(header, rows)
