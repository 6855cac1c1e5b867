"""`python -m mykey_server`: the same as `mykey-server`, where no command is installed."""

from mykey_server.cli import main

main()
