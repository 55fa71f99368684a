"""What the server does in which time: `python -m benchmarks.http`."""
