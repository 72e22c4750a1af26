"""What is asked of a loss before anything is trained with it."""
