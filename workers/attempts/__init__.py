"""The life of one attempt: its shim, its log, its containment, and the supervision of both."""
