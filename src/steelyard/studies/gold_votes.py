"""Votes on weak_train, whose answers are known, of supervisors that were not trained on the row."""

from steelyard.errors import ConfigError
from steelyard.studies.arms import Arm
from steelyard.studies.run import Run
from steelyard.studies.votes import held_out_votes
from steelyard.types import Votes, join_votes
from steelyard.types.joined import stack_votes


def gold_votes(run: Run, seed: int, arm: Arm) -> Votes:
    """Votes of an arm's voters on all of weak_train, whose rows are the examples, in their order.

    A supervisor that learns from labelled rows is trained three times more, each time on two thirds
    of weak_train, and votes on the last third. It sees fewer rows there than on strong_train, and
    is a little weaker.

    Raises:
        ConfigError: a supervisor cannot be asked so (see `votes.held_out_votes`).
    """
    bootstrap = arm.votes == "all"

    def make() -> Votes:
        numbers = range(len(run.study.supervisors))
        return join_votes([_of_supervisor(run, n, seed, arm, bootstrap) for n in numbers])

    return run.once(("gold votes", seed, bootstrap), make)


def _of_supervisor(run: Run, number: int, seed: int, arm: Arm, bootstrap: bool) -> Votes:
    supervisor = run.study.supervisors[number]
    thirds = range(3 if supervisor.uses_labels else 1)
    parts = [held_out_votes(run, number, seed, third=t, bootstrap=bootstrap) for t in thirds]
    tables = [part[0] for part in parts if part is not None]
    if len(tables) < len(parts):
        raise ConfigError(
            f"`{arm.reliability.kind}` of arm `{arm.name}` counts errors on weak_train, and "
            f"supervisor {number} (`{supervisor.kind}`) cannot vote there: it needs six rows of "
            "two classes, and each question to a server is paid for. Use another estimator, such "
            "as `hierarchical`."
        )
    return stack_votes(tables, run.task(seed).weak_train.ids)
