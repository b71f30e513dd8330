"""One benchmark process: started, supervised, limited, ended."""
