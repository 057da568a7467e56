"""Generated text: continuations of prompts, their scores, and training rows made of them.

Generators are causal language models; scorers are classifiers, servers, or classes from outside
the package (see `examples/own_scorer.py`). Everything heavy is imported when it is used.
"""

from steelyard.generation.protocol import BaseScorer as BaseScorer
from steelyard.generation.protocol import score_all as score_all
