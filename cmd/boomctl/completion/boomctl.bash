# Completion of boomctl for bash 3.2 and later. What can stand at the cursor is
# asked of boomctl itself, so it is always that of the program installed.

_boomctl() {
	local IFS=$' \t\n'
	local line=$COMP_LINE word words
	words=()
	# bash splits words at = and : too, boomctl does not: join what no blank parts.
	for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
		if [[ ${#words[@]} -eq 0 || $line == [[:blank:]]* ]]; then
			words+=("$word")
		else
			words[${#words[@]} - 1]+=$word
		fi
		line=${line#"${line%%[![:blank:]]*}"}
		line=${line#"$word"}
	done

	# Of a word that it has split bash replaces only the last part.
	local current=${words[${#words[@]} - 1]} kept=''
	if [[ $current != "${COMP_WORDS[COMP_CWORD]}" ]]; then
		kept=${current%"${current##*[=:]}"}
	fi

	local action='' candidate
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		if [[ -z $action ]]; then
			action=$candidate
		elif [[ $candidate == "$current"* ]]; then
			COMPREPLY+=("${candidate#"$kept"}")
		fi
	done < <("${1/#\~/$HOME}" __complete -- "${words[@]:1}" 2>/dev/null)

	case $action in
	files | directories)
		compopt -o filenames 2>/dev/null
		local kind=-f
		[[ $action == files ]] || kind=-d
		while IFS= read -r candidate; do
			COMPREPLY+=("$candidate")
		done < <(compgen "$kind" -- "${current#"$kept"}")
		;;
	esac
}

complete -F _boomctl boomctl
