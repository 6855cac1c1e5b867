"""The only place where real objects are made and joined. Imported after the first paint."""
