"""A study: settings, votes, selections, trainings, results; the method from top to bottom."""
