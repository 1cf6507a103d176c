"""The network: its layers, its file, and what goes into it and comes out of it."""
