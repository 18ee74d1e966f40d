"""What each host should have, as plain values: made of the inventory, compared by domain/plan, placed by deploys."""
