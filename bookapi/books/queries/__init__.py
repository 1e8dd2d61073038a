"""Reading the catalogue: the parameters of lists, and the queries.

`listing` makes a `Listing` of the parameters: the shape of statements and the values for them.
`statements` builds each statement once for a shape, of `filters` and `sorting`. `matches` knows how
many books match; `pages` finds which of them are on a page, `facets` the commonest of their values.

A filter is one entry of `filters.FILTERS`, a sort key one of `sorting.SORTS`, a facet one of
`terms.KINDS`.
"""

from .facets import Terms, terms, terms_parameters
from .history import feed, feed_parameters, history
from .listing import Listing, Shape, export_parameters, list_parameters, parse
from .pages import Page, page
from .reads import by_isbn, export, one

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
    "terms",
    "terms_parameters",
]
