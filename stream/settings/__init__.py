"""Settings of a run: what they are, where they are read from, and their defaults."""
