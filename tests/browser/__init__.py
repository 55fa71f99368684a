"""The console and the reference in a real browser."""
