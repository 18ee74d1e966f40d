"""The command line: parses options, calls one workflow, prints. Nothing else prints."""
