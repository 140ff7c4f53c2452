"""Facts from data, networks and fits. Rule: measures, never judges, and never changes what is measured."""
