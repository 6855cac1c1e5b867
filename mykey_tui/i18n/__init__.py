"""Texts for people: Japanese and English, by stable keys."""
