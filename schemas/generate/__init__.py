"""Makes from the protos what Python and Kafka have of the contracts (docs/adr/0006): `python -m schemas.generate`."""
