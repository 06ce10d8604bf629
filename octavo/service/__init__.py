"""Use cases, neutral of any dialect: a customer and typed values in, records out, errors raised."""
