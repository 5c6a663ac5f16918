"""Container groups' volumes as disks of recovery points: each is a tar whose files begin where chunks do."""
