"""The page of a blind study: `pairs` chooses what is compared, `page` writes it and its key."""
