"""What is asked of GitLab over its API; nothing else speaks HTTP to it."""
