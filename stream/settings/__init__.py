"""What a run is told: its settings, where they are read from, and what they are when nothing is said."""
