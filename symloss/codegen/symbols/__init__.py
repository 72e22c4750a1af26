"""What a formula is while it is compiled: SymPy in the log domain, with functions that torch computes well.

Nothing is printed here. A formula's own functions and symbols (`symloss.expr`) become those of `nodes` and
`log_domain`; `signed_log` evaluates the result, slowly, where floating point would not.
"""
