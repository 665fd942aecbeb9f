"""The background monitor: observes positions and orders, decides by pure rules, acts through order_svc."""
