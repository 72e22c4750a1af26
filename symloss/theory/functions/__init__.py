"""What can be proved of a function of one real variable, no loss in sight."""
