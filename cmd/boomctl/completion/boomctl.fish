# Completion of boomctl for fish. What can stand at the cursor is asked of boomctl
# itself, so it is always that of the program installed.

function __boomctl_complete
	set -l words (commandline -opc)
	set -l current (commandline -ct)
	set -l program (string replace -r '^~' $HOME -- $words[1])
	set -l answer ($program __complete -- $words[2..-1] "$current" 2>/dev/null)
	switch "$answer[1]"
		case files
			set -l flag (string match -r -- '^--[^=]*=' $current)
			for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' $current))
				echo "$flag$path"
			end
		case directories
			set -l flag (string match -r -- '^--[^=]*=' $current)
			for path in (__fish_complete_directories (string replace -r -- '^--[^=]*=' '' $current))
				echo "$flag$path"
			end
		case words
			for candidate in $answer[2..-1]
				echo $candidate
			end
	end
end

complete -c boomctl -f -a '(__boomctl_complete)'
