"""Many submissions of a lab: found, graded in a sandbox, kept, and given back."""
