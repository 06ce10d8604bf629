"""HTTP clients of the service: the workers' one and the customers' one."""
