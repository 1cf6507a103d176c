"""From small masks to the edges of the full-size picture."""
