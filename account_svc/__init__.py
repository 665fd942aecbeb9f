"""The read side: account types, the balance guard with its holds, positions and market data."""
