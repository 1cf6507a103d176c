"""How fast the pipeline is, and where each millisecond goes: what `tools/bench.py` measures."""
