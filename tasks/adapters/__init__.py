"""One adapter per dataset: columns in, a question with its typed reference out."""
