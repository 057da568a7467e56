"""Exports of annotation tools and model logs, turned into rows of `id, voter, answer`."""
