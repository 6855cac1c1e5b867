"""One module per command of `mykey`, imported when the command is given."""
