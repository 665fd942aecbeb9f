"""A transcoder of `google.api.http` rules as an ASGI application; it knows no particular service."""
