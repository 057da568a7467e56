"""Data: read, check, split, and look for leaks."""

from steelyard.data.arrange import LoadedData as LoadedData
from steelyard.data.folds import hold_out as hold_out
from steelyard.data.generated import generate as generate
from steelyard.data.groups import row_groups as row_groups
from steelyard.data.leaks import Leak as Leak
from steelyard.data.leaks import apply_leak_policy as apply_leak_policy
from steelyard.data.leaks import find_leaks as find_leaks
from steelyard.data.load import load as load
from steelyard.data.load import read_class_names as read_class_names
from steelyard.data.load import read_labelled as read_labelled
from steelyard.data.load import read_questions as read_questions
from steelyard.data.normalize_text import group_keys as group_keys
from steelyard.data.settings import Data as Data
from steelyard.data.split import split as split
from steelyard.data.take import take as take
from steelyard.io.rows import read_rows as read_rows
