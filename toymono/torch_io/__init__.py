"""Runs from and for PyTorch: files of the authors' program, state dicts, SAELens.

`authors` knows the dictionary that the authors' program saves, `files` reads and
writes files, `saelens` writes the features of a run as a synthetic model of
SAELens. `python -m toymono.torch_io` is the command. PyTorch itself is imported
only to read and write its `.pt` files.
"""
