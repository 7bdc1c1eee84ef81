"""What the pages of evaluations and of training runs share: style, script, and how a page is put together."""
