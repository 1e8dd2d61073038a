"""The fields of a book that have rules of their own: ISBN, date of publication, language."""
