"""The forward of each format, written from its formula alone: what conversions are held against.

Slow and plain on purpose. Nothing here uses sonde's own dictionaries; golden files that the
libraries made pin every one (``tests/peers/make_dictionary_golden.py``).
"""
