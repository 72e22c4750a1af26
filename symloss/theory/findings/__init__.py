"""What is found out about a loss: one file a finding, from the profile of the loss to a verdict."""
