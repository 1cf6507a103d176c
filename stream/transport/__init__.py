"""How items travel between processes: sockets, and bytes in both directions. Nobody else knows ZeroMQ."""
