"""Evaluation on still pictures."""
