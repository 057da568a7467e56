"""Ask supervisors about a file of questions, and write what they say as votes."""

from steelyard.labelling.items import Items, read_items
from steelyard.labelling.label import LabellingResult, Plan, check_out, label, plan

__all__ = [
    "Items",
    "LabellingResult",
    "Plan",
    "check_out",
    "label",
    "plan",
    "read_items",
]
