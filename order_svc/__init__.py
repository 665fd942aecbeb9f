"""The write side: journals every order before it is sent, sends it once, and follows it to its end."""
