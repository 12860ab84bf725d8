"""Content tags, build recipes, the tool layer and look-ups in the registry."""
