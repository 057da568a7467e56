"""Memory of one training run of a real language model with LoRA: as it was, and as it is.

Each side is a process of its own, whose largest resident size counts: float32 weights, all logits
and nothing computed twice, against the checkpoint's bfloat16 under the adapters, logits of one
chunk at a time, and gradient checkpointing. Both sides have the same rows, 1,536 padded tokens a
pass, and their loss curves are compared.

    STEELYARD_LLMS=FOLDER python -m benchmarks.lm_memory [--steps N]

FOLDER has SmolLM2-135M-Instruct (`../shared/models/fetch_llms.py`).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.race import Claim, write

MODEL = "SmolLM2-135M-Instruct"
TOKENS = 1536  # padded tokens of a pass
SIDES: dict[str, dict[str, Any]] = {
    "before": {"weights": {"dtype": "float32"}, "tuning": {"gradient_checkpointing": False}},
    "bf16 base, lazy logits": {"weights": {}, "tuning": {"gradient_checkpointing": False}},
    "with gradient checkpointing": {"weights": {}, "tuning": {"gradient_checkpointing": True}},
}


def one_side(name: str, steps: int) -> dict[str, Any]:
    """Train in this process; peak memory and losses."""
    from steelyard.models.lm import finetune_lm as taught
    from steelyard.models.load import PretrainedLm
    from steelyard.prompts import PromptedQuestion

    side = SIDES[name]
    if name == "before":
        taught.output_layer = lambda model, precision: None
    words = "the weighing of many small and unequal things needs a long arm " * 40
    prompts = [
        PromptedQuestion(
            str(i), "p", f"Text {i}: {words[i:1660]} Next:", (f" {words[:90]}",), (8, 9)
        )
        for i in range(4 * steps)
    ]
    tuning = taught.Tuning(
        max_tokens=TOKENS, token_budget=TOKENS, batch_size=4, epochs=1, **side["tuning"]
    )
    pretrained = PretrainedLm(model=f"{os.environ['STEELYARD_LLMS']}/{MODEL}", **side["weights"])
    rows = len(prompts)
    start = time.perf_counter()
    fitted = taught.finetune_lm(
        pretrained, tuning, prompts, np.ones((rows, 1)), np.ones(rows), seed=0, steps=steps
    )
    return {
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "seconds": round(time.perf_counter() - start, 1),
        "loss": [round(loss, 4) for loss in fitted.log.loss],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options.side, options.steps)))
        return
    found = {}
    for name in SIDES:
        command = [sys.executable, "-m", "benchmarks.lm_memory", "--side", name]
        command += ["--steps", str(options.steps)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = json.loads(out.splitlines()[-1])
        print(name, found[name], flush=True)
    sides = list(found.values())
    curves = np.array([side["loss"] for side in sides])
    share = sides[-1]["peak_gb"] / sides[0]["peak_gb"]
    claim = Claim(
        "memory of LoRA, SmolLM2-135M", "before", share, share, share, 0.5, "of the memory"
    )
    figures = {
        "padded_tokens": TOKENS,
        "sides": found,
        "largest_difference_of_losses": round(float(np.ptp(curves, axis=0).max()), 4),
    }
    write("lm_memory", [claim], figures, quick=False)


if __name__ == "__main__":
    main()
