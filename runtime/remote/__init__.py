"""A running cell as its people see it from a shell: what it answers, what it says, what it kept."""
