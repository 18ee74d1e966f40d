"""What becomes of pods: sets of every kind, their containers and volumes, when a node or a container fails."""
