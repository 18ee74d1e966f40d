"""The inventory: loaded, validated, every error with its remedy. No host is contacted."""
