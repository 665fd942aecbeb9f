"""Between the protos of OrderService and this package's values: requests in, answers and errors out."""
