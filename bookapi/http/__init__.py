"""What all requests and responses share: negotiation, problems, caching, conditions, pages."""
