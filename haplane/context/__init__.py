"""One run of a verb: its request, view, decision and result, and how hosts are reached."""
