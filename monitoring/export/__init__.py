"""What Prometheus reads.

Rule: keeps nothing; each scrape is written from what there is to see.
"""
