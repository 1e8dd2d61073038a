"""What the tests of the import command read and compare."""

EMMA, OTHER = "9780141439587", "9780306406157"


def counts(report):
    """(created, updated, unchanged, rejected)"""
    return tuple(report[name] for name in ("created", "updated", "unchanged", "rejected"))
