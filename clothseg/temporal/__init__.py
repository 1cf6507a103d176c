"""Masks over time: motion, and the state that is carried along it from frame to frame."""
