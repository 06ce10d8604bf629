"""Workers as the API knows them: which are alive, what they claim, and the work that waits for one of them."""
