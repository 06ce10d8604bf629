"""Set-up of a checkout. Standard library only: these run before anything is installed."""
