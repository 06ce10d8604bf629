"""Data directories filled by earlier versions of Octavo, and what made them."""
