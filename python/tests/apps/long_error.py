raise RuntimeError("\u20ac" * 200_000 + " the end")
