#!/bin/sh
# Draws a terminal in which real commands are run: picture.sh FILE.svg
set -eu
file=$(realpath "${1:?"usage: $0 FILE.svg"}")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$PWD/bin/port-restricter" "$work/bin/port-restricter"
ln -s "$(command -v busybox)" "$work/bin/nc"
PATH=$work/bin:$PATH

# The picture of a command and of what it prints. A listener is ended after a second.
run() {
	echo "\$ $1"
	sh -c "timeout 1 $1" </dev/null 2>&1 | sed "s/process [0-9]*/process 4711/" || :
}

{
	run 'port-restricter -p 5000 -- nc -l -p 5001'
	run 'port-restricter -v -p 5000 -- nc -l -p 5001'
	run 'port-restricter -v -p 5000 -- nc -l -p 5000'
	run 'port-restricter -v -p 5000 --map 80:5000 -- nc -l -p 80'
} >"$work/text"

awk -v lines="$(wc -l <"$work/text")" '
BEGIN {
	line = 20; width = 960; height = (lines + 1) * line + 20
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" ", width, height
	print "font-family=\"monospace\" font-size=\"13\">"
	print "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1e1e2e\"/>"
}
{
	gsub("&", "\\&amp;"); gsub("<", "\\&lt;"); gsub(">", "\\&gt;")
	color = /^\$/ ? "#ffffff" : /deny|not permitted/ ? "#f38ba8" : "#a6e3a1"
	printf "<text x=\"16\" y=\"%d\" fill=\"%s\" xml:space=\"preserve\">%s</text>\n", NR * line + 14, color, $0
}
END { print "</svg>" }' "$work/text" >"$file"
