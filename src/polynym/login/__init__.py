"""Login: the dialog in which a person lets an app in."""
