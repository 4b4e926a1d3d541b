"""What travels: pure functions and data, shared by server and kit. Standard library only."""
