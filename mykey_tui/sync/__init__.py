"""Keeping the counter's rows and the server's the same, over a line that is often down."""
