"""Reading the catalogue: the parameters of lists, and the queries.

Parameters become a `Listing`: the shape of a statement and the values for it. Statements are built
and compiled once a shape. A filter is one entry of `filters.FILTERS`, a sort key one of
`sorting.SORTS`, a facet one of `facets.KINDS`.
"""

from .facets import Terms, terms, terms_parameters
from .history import feed, feed_parameters, history
from .listing import Listing, Shape, export_parameters, list_parameters, parse
from .reads import Page, by_isbn, export, one, page, stream

__all__ = [
    "Listing",
    "Page",
    "Shape",
    "Terms",
    "by_isbn",
    "export",
    "export_parameters",
    "feed",
    "feed_parameters",
    "history",
    "list_parameters",
    "one",
    "page",
    "parse",
    "stream",
    "terms",
    "terms_parameters",
]
