"""The pipeline: sources, stages and sinks, joined by ZeroMQ links."""
