"""The tree's own rules: who imports whom, what files may be called, what a commit may hold."""
