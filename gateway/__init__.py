"""The REST side of the system: HTTP/JSON in, gRPC out."""
