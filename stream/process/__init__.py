"""A stage's process: the pipe to the supervisor, the server it is forked from, and its signals."""
