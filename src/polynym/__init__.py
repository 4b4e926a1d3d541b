"""polynym: the business side of the Messenger Platform as a server you run yourself."""

__version__ = "0.1.0.dev0"
