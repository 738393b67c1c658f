"""What other tools read: graphs as GraphML, GEXF and JSON, and masks."""
