"""What the service costs, measured: `make bench`. See README.md here; nothing of this is
installed."""
