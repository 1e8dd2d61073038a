"""Shared by tests of several folders, as `helpers.NAME`."""
