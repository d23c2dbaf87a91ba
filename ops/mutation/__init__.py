"""Breaks the program on purpose, in copies of its tree, and sees whether the tests notice."""
