"""ISBNs: ISBN-10 and ISBN-13 in, thirteen digits out (ISO 2108)."""

import re

from stdnum import isbn as standard
from stdnum.exceptions import InvalidChecksum, ValidationError

_DASHES = re.compile("[\\s\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d-]")
_FORM = re.compile("[0-9]{9}[0-9X]|97(?:8[0-9]|9[1-9])[0-9]{9}")  # 979-0 is music (ISMN)


def parse(text: str) -> str:
    """The thirteen digits; hyphens, spaces and Unicode dashes are allowed. Raises ValueError saying what is wrong."""
    compact = _DASHES.sub("", text).upper()
    # python-stdnum takes nine digits, an SBN, for an ISBN-10, and any Unicode digit for a digit.
    if not _FORM.fullmatch(compact):
        raise ValueError("must be an ISBN-10 or an ISBN-13 (beginning 978 or 979)")
    try:
        return standard.validate(compact, convert=True)
    except InvalidChecksum:
        raise ValueError("has a check digit that does not hold; look for a typing error") from None
    except ValidationError:
        raise ValueError("must be an ISBN-10 or an ISBN-13 (beginning 978 or 979)") from None
