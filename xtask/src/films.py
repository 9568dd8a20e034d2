"""Writes the films of movies.db, which is SQLite, as JSON lines: python3 -c THIS movies.db people.jsonl"""

import collections
import json
import re
import sqlite3
import sys

database, table = sys.argv[1:]

# "7th Marquess of Cholmondeley" behind a name, "list of Harry Potter cast members" in the place of names.
NO_NAME = re.compile(r"\d+(st|nd|rd|th) |list of ")


def names(text):
    """The values of a field. The comma within "Sammy Davis, Jr." looks like the one between two names."""
    found = []
    for part in filter(None, (text or "").split(", ")):
        if found and part in ("Jr.", "Sr."):
            found[-1] += " " + part
        elif not NO_NAME.match(part):
            found.append(part)
    return found


columns = 'imdbID, Title, Year, Director, "Cast", Language, Country'
rows = sqlite3.connect(database).execute(f"SELECT {columns} FROM omdb ORDER BY ID").fetchall()

# Casts come in the order of the alphabet. Who is in many films is likelier to be known for this one.
films_of = collections.Counter(name for row in rows for name in set(names(row[4])))

with open(table, "w", encoding="utf-8", newline="\n") as lines:
    for imdb, title, year, director, cast, language, country in rows:
        film = {
            "imdb": imdb,
            "title": title,
            "year": year,
            "director": names(director),
            "actor": sorted(names(cast), key=lambda name: (-films_of[name], name)),
            "language": names(language),
            "country": names(country),
        }
        lines.write(json.dumps(film, ensure_ascii=False) + "\n")
