"""The server's tables: portable SQL, on a registry of their own.

There is no column for the time, place or occasion of any person's act, and `allowed.py` is the
list that keeps it so.
"""
