"""The verbs of the command line as functions: `verb(options, report) -> mapping of results`."""
