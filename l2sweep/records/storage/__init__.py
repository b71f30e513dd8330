"""What is stored of a sweep: its files and folders, their removal, and their compaction."""
