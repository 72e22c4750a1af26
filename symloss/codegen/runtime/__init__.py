"""How a loss is computed once its formula is printed: torch alone, and exported as its own source.

A formula is a handful of functions (`branch.Branch`); a path (`fused.Path`) evaluates them with the gradient by
hand; a module (`modules`) takes what people pass. `symloss.codegen.export` copies out of these files what a path
needs, so that they import nothing but torch and each other, and name nothing that only symloss knows.
"""
