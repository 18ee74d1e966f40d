"""One verb a file: its tuple of entries, which engine.py carries out."""
