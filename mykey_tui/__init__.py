"""Counter terminal for the My Number Card: which of its own member numbers is this."""
