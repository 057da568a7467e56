"""Ratios against the ways it is done elsewhere, both sides in one run."""
