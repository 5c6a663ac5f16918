"""Who may use the API: issuing and revoking bearer tokens."""
