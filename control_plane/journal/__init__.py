"""What happened and what is under way: events, operations and the audit trail."""
