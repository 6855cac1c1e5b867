"""The counter's own SQLCipher file: its links, its queue, how far it has come with the server."""
