"""The graders, one file or package each, named by what they judge."""
