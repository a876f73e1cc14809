"""Atom types: perceived, looked up by combinations of types, and compared with direct chemical perception."""
