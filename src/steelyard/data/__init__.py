"""Data: read, check, split, and look for leaks."""

from steelyard.data.generated import generate
from steelyard.data.leaks import Leak, apply_leak_policy, find_leaks
from steelyard.data.load import LoadedData, load, read_labelled, read_questions
from steelyard.data.settings import Data
from steelyard.data.split import split
from steelyard.io.rows import read_rows

__all__ = [
    "Data",
    "Leak",
    "LoadedData",
    "apply_leak_policy",
    "find_leaks",
    "generate",
    "load",
    "read_labelled",
    "read_questions",
    "read_rows",
    "split",
]
