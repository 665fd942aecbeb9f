"""The REST surface of the former service, served by calling the services that replace it."""
