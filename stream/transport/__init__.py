"""Transport between processes: sockets, and messages as bytes. Nothing else imports ZeroMQ."""
