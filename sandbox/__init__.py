"""An exchange that speaks Alpaca's HTTP protocol, for machines without keys and for tests."""
