"""The command `clothseg`: one word each for what can be asked of it, and what answers where nothing else does."""
