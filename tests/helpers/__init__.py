"""What tests of several folders share: importable as `helpers.NAME` from every one of them."""
