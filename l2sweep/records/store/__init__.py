"""Results in an object store: its address, its objects, which of them count, and the local spool folder."""
