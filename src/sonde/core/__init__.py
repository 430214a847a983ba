"""Words shared by every folder: hook points, positions, edits, files, errors, progress."""
