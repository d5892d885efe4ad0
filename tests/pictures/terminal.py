"""Runs a command on a terminal of its own, and draws what stands on it at the end as SVG; where it draws pictures over each other, the one with the
most colours, too, into FILE with `-live` in its name.

    terminal.py FILE.svg COLUMNS ROWS COMMAND...

The terminal knows the escapes that the program writes (colours, cursor up and home, clearing) and fails at any other, so that no picture is wrong in
silence. Ends as the command ended.
"""

import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import termios

ESCAPE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]")
COLOURS = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}
STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d8dee6; white-space: pre; }
  .bold { font-weight: bold; } .dim { fill: #8b949e; } .red { fill: #ff7b72; } .green { fill: #7ee787; } .yellow { fill: #e3b341; }
"""
PICTURE_ENDS = "\x1b[?2026l"
WIDE, HIGH, EDGE = 8.4, 19, 16


class Screen:
    """Characters with their styles; lines that leave it at the top are gone."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.style = columns, rows, ""
        self.lines, self.at = [{}], [0, 0]
        self.liveliest = (0, [])

    def write(self, text):
        end = 0
        for found in ESCAPE.finditer(text):
            if found.start() != end:
                sys.exit(f"an escape that this terminal does not know: {text[end:end + 12]!r}")
            end = found.end()
            self.one(found)

    def one(self, found):
        arguments, letter = found.group(1), found.group(2)
        if found.group() == "\r":
            self.at[1] = 0
        elif found.group() == "\n":
            self.down()
        elif letter is None:
            self.put(found.group())
        elif letter == "m":
            self.style = COLOURS.get(arguments, "") if arguments not in ("", "0") else ""
        elif letter == "A":
            self.at[0] = max(0, self.at[0] - int(arguments or 1))
        elif letter == "H" and not arguments:
            self.at = [0, 0]
        elif letter == "K" and arguments in ("", "0"):
            self.clear_line()
        elif letter == "J":
            self.clear_line()
            del self.lines[self.at[0] + 1:]
        elif found.group() == PICTURE_ENDS:
            self.keep_liveliest()
        elif not (letter in "hl" and arguments.startswith("?")):
            sys.exit(f"an escape that this terminal does not know: {found.group()!r}")

    def clear_line(self):
        line = self.lines[self.at[0]]
        self.lines[self.at[0]] = {column: cell for column, cell in line.items() if column < self.at[1]}

    def keep_liveliest(self):
        """Of the pictures that are drawn over each other, keeps the one with the most colours, and of those the last."""
        styles = [line[column][1] for line in self.lines for column in sorted(line)[:1]]
        colours = len(set(styles)) * 1000 + sum(map(bool, styles))
        if colours >= self.liveliest[0]:
            self.liveliest = (colours, [dict(line) for line in self.lines])

    def put(self, character):
        if self.at[1] >= self.columns:
            self.at[1] = 0
            self.down()
        self.lines[self.at[0]][self.at[1]] = (character, self.style)
        self.at[1] += 1

    def down(self):
        self.at[0] += 1
        if self.at[0] == len(self.lines):
            self.lines.append({})
        if len(self.lines) > self.rows:
            del self.lines[0]
            self.at[0] -= 1

    def spans(self, line):
        """Pieces of one style: column, text, style."""
        pieces = []
        for column in sorted(line):
            character, style = line[column]
            if pieces and pieces[-1][2] == style and pieces[-1][0] + len(pieces[-1][1]) == column:
                pieces[-1][1] += character
            else:
                pieces.append([column, character, style])
        return [piece for piece in pieces if piece[1].strip()]

    def svg(self, title, lines):
        lines = lines[:]
        while lines and not self.spans(lines[-1]):
            lines.pop()
        width, height = self.columns * WIDE + 2 * EDGE, len(lines) * HIGH + 2 * EDGE
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{html.escape(title)}">']
        out += [f"<style>{STYLE}</style>", f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>']
        for number, line in enumerate(lines):
            for column, text, style in self.spans(line):
                x, y = EDGE + column * WIDE, EDGE + (number + 1) * HIGH - 5
                kind = f' class="{style}"' if style else ""
                # As wide as its columns, whatever the reader's font is.
                out.append(f'<text x="{x:.1f}" y="{y}" textLength="{len(text) * WIDE:.1f}"{kind} xml:space="preserve">{html.escape(text)}</text>')
        return "\n".join([*out, "</svg>", ""])


def run(columns, rows, command):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            piece = b""
        if not piece:
            break
        said += piece
    return said.decode(), child.wait()


def main(path, columns, rows, *command):
    said, code = run(int(columns), int(rows), command)
    screen = Screen(int(columns), int(rows))
    shown = " ".join([os.path.basename(command[0]), *command[1:]])
    screen.write(f"$ {shown}\r\n{said}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(screen.svg(f"A terminal after {shown}", screen.lines))
    if screen.liveliest[1]:
        with open(path.replace(".svg", "-live.svg"), "w", encoding="utf-8") as file:
            file.write(screen.svg(f"A terminal in the midst of {shown}", screen.liveliest[1]))
    sys.exit(code)


main(*sys.argv[1:])
