"""Comparing what a device computed with what it should have: oracle, comparison, the first difference."""
