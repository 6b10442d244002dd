"""What users and broken disks may hand in: each is refused in one line, or ends one cell."""
