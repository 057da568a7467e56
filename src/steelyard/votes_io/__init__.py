"""Votes files: long, wide or nested rows, read once for `weigh` and for studies."""
