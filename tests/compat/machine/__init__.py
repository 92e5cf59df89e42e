"""The differential machine: random command sequences, drawn from the command table, on two servers at once."""
