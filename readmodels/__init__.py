"""Query side: views that are pure functions of the log, and the journal sockets follow."""
