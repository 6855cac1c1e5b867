"""Drivers for `card.connection`: PC/SC, and cards made of a file. Chosen at run time."""
