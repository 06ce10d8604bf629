"""What every dialect needs of HTTP: authentication, body limits, strict JSON, rate limits, problems, long polls."""
