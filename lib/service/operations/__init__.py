"""What a job can do: one function each, given its context. They know nothing of HTTP or of who asked."""
