"""What a study would do: parameters, memory, tokens and steps of each stage, before it runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from steelyard.models.load import Pretrained, load_config, load_tokenizer
from steelyard.studies.jobs import check_study
from steelyard.studies.ladder import middle_students
from steelyard.studies.reference_names import is_untrained
from steelyard.studies.run import Run
from steelyard.studies.training import CEILING
from steelyard.types import Question

if TYPE_CHECKING:
    from steelyard.models.train import Training

SAMPLE = 200  # questions whose tokens are counted
GB = 1e9


def plan(run: Run) -> list[str]:
    """One line for each stage; no weights are read and nothing is stored.

    Steps are those of all rows: an arm that keeps fewer takes fewer. Memory is an estimate for one
    process (see `models.lm.lm_memory.activation_bytes`). Requests to servers are `label --dry-run`.
    """
    check_study(run)
    study = run.study
    task, seeds = run.task(study.seed_list[0]), len(study.seed_list)
    labelled, unlabelled, test = (
        len(part.questions) for part in (task.weak_train, task.strong_train, task.test)
    )
    lines = [
        f"data: {labelled:,} weak_train, {unlabelled:,} strong_train, {test:,} test, {seeds} seeds"
    ]
    for n, supervisor in enumerate(study.supervisors):
        questions = unlabelled + test
        prompts = supervisor.prompts
        queries = 1 if prompts is None else len(prompts.query_names(study.task))
        answers = questions * queries * supervisor.num_voters * seeds
        text = f"supervisor {n} (`{supervisor.kind}`): {answers:,} answers"
        tuning = supervisor.training
        if tuning is not None:
            steps = tuning.steps(labelled) * supervisor.num_voters * seeds
            text += f", {supervisor.num_voters * seeds:,} voters taught in {steps:,} steps"
        lines.append(text + _model(supervisor.pretrained, tuning, task.strong_train.questions))
    student = study.student
    arms, steps = [arm.name for arm in study.all_arms], student.planned_steps(unlabelled)
    names = [CEILING, *study.reference_names, *arms]
    students = sum(not is_untrained(name) for name in names) * seeds
    lines.append(
        f"students (`{student.kind}`): {students:,} trainings of {len(arms)} arms, the references "
        "and the ceiling"
        + (f", up to {steps:,} steps each" if steps else "")
        + _model(student.pretrained, student.training, task.strong_train.questions)
    )
    return [*lines, *_folds(run), *_middle(run)]


def _middle(run: Run) -> list[str]:
    """Middle students; every example is taken for answered and kept, and none for shared."""
    size = len(run.task(run.study.seed_list[0]).strong_train.questions)
    students = [student for arm in run.study.all_arms for student in middle_students(run, arm)]
    if not students:
        return []
    seeds = len(run.study.seed_list)
    steps = sum(student.planned_steps(size) for student in students) * seeds
    text = f"middle students: up to {len(students) * seeds:,} more trainings"
    return [text + (f", about {steps:,} steps in all" if steps else "")]


def _folds(run: Run) -> list[str]:
    """Students of folds, of the arms that refine labels by them; arms of the same votes share them.

    Every example is taken for answered.
    """
    task, student = run.task(run.study.seed_list[0]), run.study.student
    sizes = (len(task.strong_train.questions), len(task.weak_train.questions))
    seen: dict[tuple[object, ...], tuple[int, ...]] = {}
    for arm in run.study.all_arms:
        shuffled = arm.name if arm.control == "shuffled_votes" else ""
        settings = str(arm.reliability.model_dump(mode="json", exclude={"choice"}))
        key = (settings, arm.votes, arm.selection.takes_one_supervisor, shuffled)
        seen[key] = arm.reliability.training_sizes(*sizes)
    trainings = [size for part in seen.values() for size in part]
    if not trainings:
        return []
    seeds = len(run.study.seed_list)
    steps = sum(student.planned_steps(size) for size in trainings) * seeds
    text = f"folds to refine labels: {len(trainings) * seeds:,} more trainings of the student"
    return [text + (f", about {steps:,} steps in all" if steps else "")]


def _model(
    pretrained: Pretrained | None, training: "Training | None", questions: Sequence[Question]
) -> str:
    """Parameters, memory and tokens of a model that is trained or asked."""
    if pretrained is None:
        return ""
    count = parameters(pretrained)
    tokens = _tokens(pretrained, questions)
    text = f"; {count / 1e6:,.0f} M parameters, about {tokens:,.0f} tokens a question"
    config = load_config(pretrained)
    if training is None or not hasattr(config.get_text_config(), "hidden_size"):
        return text
    from steelyard.models.lm.lm_memory import activation_bytes, pass_tokens
    from steelyard.models.precision import computed_in
    from steelyard.models.train import device

    adapters = training.trains_adapters
    half = str(getattr(config, "dtype", "")) in ("torch.bfloat16", "torch.float16")
    narrow = adapters and half and computed_in(training.precision, device()) == "bf16"
    # float32 weights with their gradients and two moments, or frozen weights under small adapters
    weights = count * ((2 if narrow else 4) if adapters else 16)
    size = pass_tokens(training.token_budget, 1, device())
    memory = (weights + activation_bytes(config, size, training.keeps_few_states)) / GB
    return f"{text}, about {memory:,.1f} GB in training"


def parameters(pretrained: Pretrained) -> int:
    """Parameters of a model, counted without its weights."""
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(load_config(pretrained))
    return sum(weight.numel() for weight in model.parameters())


def _tokens(pretrained: Pretrained, questions: Sequence[Question]) -> float:
    """Mean tokens of a question's text, of the first questions."""
    texts = [f"{q.context} {q.text} {' '.join(q.choices)}" for q in questions[:SAMPLE]]
    return float(np.mean([len(ids) for ids in load_tokenizer(pretrained)(texts)["input_ids"]]))
