"""Alpaca as we use it: accounts, orders, quotes and what the broker answers; knows no service of ours."""
