#compdef boomctl
# Completion of boomctl for zsh. What can stand at the cursor is asked of boomctl
# itself, so it is always that of the program installed.

_boomctl() {
	local -a answer candidates
	answer=("${(@f)$("${words[1]/#\~/$HOME}" __complete -- "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
	case $answer[1] in
	files | directories)
		compset -P '--*='
		if [[ $answer[1] == files ]]; then
			_files
		else
			_files -/
		fi
		;;
	words)
		candidates=("${(@)answer[2,-1]//:/\\:}")
		candidates=("${(@)candidates/$'\t'/:}")
		_describe boomctl candidates
		;;
	esac
}

# As a file on fpath this is the function's first call; sourced it is not.
if [[ $funcstack[1] == _boomctl ]]; then
	_boomctl "$@"
else
	compdef _boomctl boomctl
fi
