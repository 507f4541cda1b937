"""Which counselor is better, and how sure are we: panels, supervisors, choices, ratings."""
