"""What each host should have, as plain values: of the inventory, compared by domain/decide.py, placed by deploys."""
