"""What each host should have, as plain values: rendered from the inventory, compared by domain/plan, placed by deploys."""
