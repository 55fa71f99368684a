"""What each endpoint does, free of HTTP."""
