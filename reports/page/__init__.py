"""The page: one HTML file that a browser opens from disk, with the pictures beside or inside it."""
