"""The training loop, what it learns from, and the export of what it learned."""
