"""What the server does: each service is pure decisions and one transaction."""
