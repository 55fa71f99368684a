"""What the server does in which time: `benchmarks.http` alone, `benchmarks.compare` with others."""
