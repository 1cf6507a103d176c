"""Masks over time: backward flow, and the state that is warped along it from frame to frame."""
