"""Importing books: what a record means, which book it is, and the report."""
