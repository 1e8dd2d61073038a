"""Reading the catalogue: the parameters of lists, and the queries.

Parameters become a `Listing`: the shape of a statement and the values for it. Statements are built
and compiled once a shape. A filter is one entry of `filters.FILTERS`, a sort key one of
`sorting.SORTS`, a facet one of `facets.KINDS`.
"""

from .facets import Terms, terms
from .history import feed, history
from .listing import Listing, Shape, parse
from .reads import Page, by_isbn, export, one, page, stream

__all__ = [
    "Listing",
    "Page",
    "Shape",
    "Terms",
    "by_isbn",
    "export",
    "feed",
    "history",
    "one",
    "page",
    "parse",
    "stream",
    "terms",
]
