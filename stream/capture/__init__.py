"""Readers: one process for each camera, which keeps the newest picture or the next one."""
