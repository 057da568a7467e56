"""Ask supervisors about a file of questions, and write their answers as votes."""

from steelyard.labelling.checks import Plan as Plan
from steelyard.labelling.checks import check_output as check_output
from steelyard.labelling.checks import plan_queries as plan_queries
from steelyard.labelling.items import Items as Items
from steelyard.labelling.items import read_items as read_items
from steelyard.labelling.label import LabellingResult as LabellingResult
from steelyard.labelling.label import label as label
