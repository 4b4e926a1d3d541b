"""python -m polynym.cli"""

from polynym.cli import main

main()
