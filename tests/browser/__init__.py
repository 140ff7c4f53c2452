"""The index page in a real browser: Debian's Chromium, over a real server, and over a named fake for the rare scenes."""
