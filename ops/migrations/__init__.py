"""The tables of the log and the accounts, one `.sql` file a step; views own their DDL."""
