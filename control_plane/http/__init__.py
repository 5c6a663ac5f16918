"""The HTTP edge that every capability shares: problems, tokens, idempotency, paging, waiting."""
