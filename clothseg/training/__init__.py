"""Training and evaluation; a stream never imports it."""
