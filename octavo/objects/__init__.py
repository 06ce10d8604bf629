"""Object storage: inputs, results and ledgers of batches as objects of one S3 bucket."""
