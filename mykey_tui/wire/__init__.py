"""What travels between counter and server: messages, seals, signatures. Shared by both sides."""
