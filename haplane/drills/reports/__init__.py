"""What a drill leaves behind: HTML, JSON and JUnit, and two runs side by side."""
