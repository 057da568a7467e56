"""Machinery under stages 2 and 5: load, encode, batch, train, score. It knows no stage."""
