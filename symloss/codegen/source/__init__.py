"""Source text: formulas printed in a language, functions built from the text, and what of the runtime it needs.

Only here is anything executed that was written as text, and only what `printer` wrote from a whitelisted tree.
"""
