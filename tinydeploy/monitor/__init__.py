"""Watching a board that runs: what is counted, what is written down, and how two records compare."""
