"""The words the console and the service share: data only, no runtime of either side.

states       every closed set of states, each explained where it is spelled
operations   the gate's answer, and what the service says of each operation
jobs         one durable request to perform an operation
imports      uploads, column mapping, plans and their rows
exports      what to write, and the file that came of it
export_plans what an export to a sheet would do, cell by cell
entries      what the table keeps
queue        what waits to be embedded, and what failed
workers      the processes that do the work
index        the served generation, and searching it
settings     the declared table of everything an operator may change
audit        who did what
identity     who is asking
snapshots    saved copies of the index
events       the topics of the live feed
errors       every stable error code
environment  the variables a process is started with
"""
