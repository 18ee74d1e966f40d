"""What a drill measures with: clients that read, write and watch, and the timeline of what they saw."""
