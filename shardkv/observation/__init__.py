"""What a node remembers of how it has been doing: slow commands, slow moments, durations, and a view for onlookers."""
