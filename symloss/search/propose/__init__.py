"""How losses are proposed: grammar, genetic programming, breeding."""
