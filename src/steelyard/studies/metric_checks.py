"""Which metrics suit a study's task, checked when its settings are read."""

from steelyard.evaluation import SLOT_METRICS, BaseMetric, TaskMetric, find_metric
from steelyard.types.task_kinds import KINDS, Kind


def check_metric(metric: str | BaseMetric | TaskMetric, task: Kind, names: tuple[str, ...]) -> None:
    """Refuse a metric that cannot score such a task.

    Args:
        metric: of a study.
        task: kind of the study's task.
        names: of the built-in metrics that suit the task and the student.

    Raises:
        ConfigError: no metric has this name.
        ValueError: it scores other tasks.
    """
    if not isinstance(metric, str):
        metric.check_task(task)
        return
    find_metric(metric)
    if metric == "ece":
        raise ValueError(
            "`metric: ece` is biased and has no valid interval; use `brier` or `log_loss` (the "
            "report shows `ece` and a calibration error without bias beside any metric)"
        )
    if KINDS[task].is_pair and metric != "accuracy":
        raise ValueError(
            f"`metric: {metric}` compares classes, and the two answers of a preference "
            "are not classes; use `accuracy`, the share of pairs ordered correctly"
        )
    if metric in names:
        return
    if metric in SLOT_METRICS:
        raise ValueError(
            f"`metric: {metric}` scores slots, so it needs `task: generation` and "
            "`student.answer_format: slots`"
        )
    if KINDS[task].is_open:
        raise ValueError(
            f"`metric: {metric}` needs classes, and open answers have none; use "
            + " or ".join(f"`{name}`" for name in names)
        )
    raise ValueError(
        f"`metric: {metric}` does not suit {task}; use one of "
        + ", ".join(f"`{name}`" for name in names)
    )
