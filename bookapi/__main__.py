"""The console command ``bookapi``, the same as ``flask --app wsgi``."""

from bookapi import create_app
from bookapi.cli import Console

main = Console(create_app=create_app, name="bookapi", help="The book catalogue service.")

if __name__ == "__main__":
    main(prog_name="bookapi")
