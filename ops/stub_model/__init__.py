"""A small Responses endpoint that stands in for the model, and only for the model."""
