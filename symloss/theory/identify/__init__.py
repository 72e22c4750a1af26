"""Which loss of the zoo a formula is: by the direction of its gradient, then by algebra."""
