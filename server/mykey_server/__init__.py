"""Sync server for the counters of mykey-tui."""
