"""tools/report in parts.

records     reads a log into runs, and finds out whether anything is missing
schema      checks one record against docs/records.schema.json
summary     one run as a document: tables and remarks
comparison  several runs as one table of changes
render      a document as text or Markdown
export      runs as CSV and JSON
junit       runs as JUnit XML
units       numbers with their units
cli         the command line
"""
