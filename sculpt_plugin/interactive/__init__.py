"""What the interactive page of a report is made of: its data, words, style, script."""
