"""Generations of one FAISS index on disk.

factory       which kind of index suits how many vectors
manifest      what a generation says about itself
pointer       CURRENT, the file that names the served one
durable       files that survive a power cut; the writer's lock
stored        one FAISS file: write, prove, read for change
build         a new index from a stream, or an update of the last one
generations   publish, fall back, sweep
reader        search while all of that goes on
"""
