"""How networks learn data that fit the memory, each alone or many at a time."""
