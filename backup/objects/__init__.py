"""The places of recovery points: folders and S3 buckets, behind one Protocol."""
