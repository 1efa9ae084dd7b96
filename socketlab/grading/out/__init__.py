"""What a graded class gives back: pages, tables, and files for other programs.

`write_all(grades, lab, folder)` writes everything; the other functions make one thing each.
Whatever came from a submission is escaped for the format it goes into, and of a hidden check only
its title and its outcome leave this room.
"""

from socketlab.grading.out.jsonfile import SCHEMA, write_result
from socketlab.grading.out.text import gradebook_text
from socketlab.grading.out.writing import write_all

__all__ = ["SCHEMA", "gradebook_text", "write_all", "write_result"]
