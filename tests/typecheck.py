"""The type checker that the import hook of `conftest.py` puts on every function."""

import beartype

# An int is a float where a float is wanted, as everywhere in Python.
checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
