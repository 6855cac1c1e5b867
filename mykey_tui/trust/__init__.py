"""Judging certificates: time and bytes come in as arguments, a verdict goes out. Shared with the server."""
