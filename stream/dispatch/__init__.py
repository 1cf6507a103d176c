"""The dispatcher: which frame goes to which worker, when, and what became of each."""
