"""Examine one adapter spec with a few keys: does it store, find, load and delete, and why not?"""
