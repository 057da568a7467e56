"""Votes files: long, wide or nested rows, read the same way by `weigh` and by studies."""
