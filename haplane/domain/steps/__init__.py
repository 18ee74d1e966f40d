"""What is due, as steps of a plan: one module per subject, put together by domain/decide.py. Pure."""
