"""Ask supervisors about a file of questions, and write what they say as votes."""

from steelyard.labelling.items import Items, read_items
from steelyard.labelling.label import Labelled, Plan, check_out, label, plan

__all__ = ["Items", "Labelled", "Plan", "check_out", "label", "plan", "read_items"]
