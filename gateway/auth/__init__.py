"""Who calls the gateway, and what that caller may do."""
