"""How pictures move: sources, stages and sinks, joined by ZeroMQ links."""
