"""The former service's database, used as it is: accounts, strategy permissions, order tracking."""
