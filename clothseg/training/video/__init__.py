"""Evaluation on video: clips with known masks, made or recorded, and measures over time."""
