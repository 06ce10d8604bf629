"""Webhooks: who is notified of a batch's end, what was sent, and how it is signed. Pure."""
