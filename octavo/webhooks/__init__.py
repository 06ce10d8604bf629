"""Webhooks: whom customers want told of a batch's end, what was sent, how it is signed. Pure."""
