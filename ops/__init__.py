"""Operating the product: the `oa` operator commands, the local stack, migrations, benches, checks."""
