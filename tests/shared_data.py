"""The folder of real data sets and models beside the project, if it is there."""

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
DATA = SHARED / "data"
MODELS = SHARED / "models"
