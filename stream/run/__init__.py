"""The command: checks the settings, starts the stages, in one process or in many, and reports their state."""
