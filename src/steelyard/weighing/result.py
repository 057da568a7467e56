"""What `weigh` returns: labels, scores and voters, as arrays, data frames and tables."""

import html
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.errors import ConfigError
from steelyard.io.counted import counted
from steelyard.types import Ints, Reliability, Votes
from steelyard.types.show import listed
from steelyard.weighing.summary import VOTER_COLUMNS, flat_voters

if TYPE_CHECKING:
    import pandas

SHOWN = 10
"""Items in the HTML of a notebook."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weigh` returns. The first method is the one that was asked for.

    >>> import steelyard as sy
    >>> rows = [("q1", "ann", "yes"), ("q1", "bob", "no"), ("q1", "cyd", "no"), ("q2", "ann", "no")]
    >>> rows = [dict(zip(("id", "voter", "answer"), row)) for row in rows]
    >>> result = sy.weigh(rows, ["majority"])
    >>> result
    <Weighed: 2 items, 4 votes of 3 voters, method majority
      labels: no 2
      mean score 0.833, voters flagged: none>
    >>> result.label_by_id["q1"], result.reliabilities["majority"].posterior.round(2).tolist()
    ('no', [[0.67, 0.33], [1.0, 0.0]])

    Attributes:
        votes: the table of votes.
        reliabilities: posterior (N, K) and score (N,) of each label, by method.
        labels: answer numbers (N,) by method; ABSTAIN where nobody answered.
        summary: what summary.json holds: scores of methods, and what is known of voters.
        report: the page, if files were written.
        texts: of the items, (N,); or empty.
    """

    votes: Votes
    reliabilities: dict[str, Reliability]
    labels: dict[str, Ints]
    summary: dict[str, Any]
    report: Path | None
    texts: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """Name of the first method."""
        return next(iter(self.reliabilities))

    @property
    def label_by_id(self) -> dict[str, str | None]:
        """The label of each item by the first method: a class name or the text of an open answer.

        None where nobody answered.
        """
        return dict(zip(self.votes.ids, self.label_names(), strict=True))

    def label_names(self, method: str | None = None) -> list[str | None]:
        """Labels as class names or texts of open answers, in the order of `votes.ids`.

        Args:
            method: its name; None is the first.

        Raises:
            ConfigError: no such method was computed.
        """
        return self.votes.answer_names(self.labels[self._method(method)])

    def to_pandas(self, method: str | None = None) -> "pandas.DataFrame":
        """One row per item.

        Args:
            method: its name; None is the first.

        Returns:
            Columns `id`; `label`, a class name, None where nobody answered; `score`, how reliable
            the label is; `votes`, how many are readable. Of classes also `p_NAME`, the posterior
            of each; of open answers `posterior` and `candidates`, lists.

        Raises:
            ConfigError: no such method was computed.
        """
        import pandas

        name = self._method(method)
        reliability, votes = self.reliabilities[name], self.votes
        columns: dict[str, Any] = {
            "id": votes.ids,
            "label": pandas.Series(self.label_names(name), dtype=object),
            "score": reliability.score,
            "votes": votes.counts.sum(axis=1).astype(np.int64),
        }
        if votes.candidate_texts:
            rows = zip(reliability.posterior, votes.candidates, strict=True)
            columns["posterior"] = [row[:count].tolist() for row, count in rows]
            columns["candidates"] = [list(texts) for texts in votes.candidate_texts]
        else:
            for k, label in enumerate(votes.class_names):
                columns[f"p_{label}"] = reliability.posterior[:, k]
        return pandas.DataFrame(columns)

    def push_to_hub(self, repo: str) -> str:
        """Upload labels, votes and voters as a data set with a card; see `weighing.data_set`.

        Args:
            repo: of the Hugging Face Hub, such as NAME/LABELS; made if it is missing, and then
                public unless the account says otherwise. It gets texts and the voters' names.

        Returns:
            The data set's address.

        Raises:
            MissingExtra: huggingface_hub is not installed.
            ConfigError: the Hub refuses, or cannot be reached.
        """
        from steelyard.io.hub_upload import upload_folder
        from steelyard.weighing.data_set import write_data_set

        otherwise = "Log in with `hf auth login`, and run the same again."
        with TemporaryDirectory() as folder:
            write_data_set(self, Path(folder), repo)
            return upload_folder(Path(folder), repo, "dataset", "Labels of voters", otherwise)

    def voters_to_pandas(self) -> "pandas.DataFrame":
        """One row per voter, the least accurate of the known ones first.

        Returns:
            Columns `voter`; `votes` and `abstained`, counts; `accuracy` with its 95 % interval
            `low`, `high`, as estimated by the first method; `agreement` with the other voters;
            `true_accuracy` with `true_low`, `true_high`, where the truth is known; `flags`.
        """
        import pandas

        rows = flat_voters(self.summary["by_voter"])
        frame = pandas.DataFrame(rows, columns=VOTER_COLUMNS)
        return frame.sort_values("accuracy", kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        labels = Counter(label or "none" for label in self.label_names()).most_common()
        flagged = [voter["voter"] for voter in self.summary["by_voter"] if voter["flags"]]
        items, votes = counted(len(self.votes.ids), "item"), counted(len(self.votes.answer), "vote")
        voters = counted(len(self.votes.voters), "voter")
        lines = [
            f"<Weighed: {items}, {votes} of {voters}, method {self.method}",
            f"  labels: {listed([name for name, _ in labels], [n for _, n in labels])}",
            *self._accuracies(),
            f"  mean score {self.reliabilities[self.method].score.mean():.3f}, "
            f"voters flagged: {listed(flagged) or 'none'}>",
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The head and the first items, for notebooks."""
        score, names = self.reliabilities[self.method].score, self.label_names()
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(names[i] or '')}</td>"
            f"<td>{score[i]:.3f}</td></tr>"
            for i, name in enumerate(self.votes.ids[:SHOWN])
        )
        rest = len(self.votes.ids) - SHOWN
        hint = (
            f"<p>and {counted(rest, 'more item')}: <code>.to_pandas()</code></p>"
            if rest > 0
            else ""
        )
        return (
            f"<pre>{html.escape(repr(self))}</pre><table><thead><tr><th>id</th><th>label</th>"
            f"<th>score</th></tr></thead><tbody>{rows}</tbody></table>{hint}"
        )

    def _accuracies(self) -> list[str]:
        items = self.summary["truth"]["items"]
        if not items:
            return []
        scores = {name: scores["accuracy"] for name, scores in self.summary["methods"].items()}
        listed = ", ".join(f"{name} {value:.3f}" for name, value in list(scores.items())[:6])
        return [f"  accuracy on {counted(items, 'item')} of known truth: {listed}"]

    def _method(self, name: str | None) -> str:
        if name is not None and name not in self.reliabilities:
            raise ConfigError(f"There is no method {name!r}; there are {list(self.reliabilities)}.")
        return self.method if name is None else name
