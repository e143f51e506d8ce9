package main

import (
	"strings"
	"unicode/utf8"
)

// wrap breaks text at spaces into lines of at most width characters; a longer
// word is broken anywhere. There is at least one line.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for runes := []rune(line); len(runes) > width; runes = []rune(line) {
			lines = append(lines, string(runes[:width]))
			line = string(runes[width:])
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}
