# bash completion for pi-zoo(1)

_pi_zoo()
{
    local current=${COMP_WORDS[COMP_CWORD]} words
    if ((COMP_CWORD == 1)); then
        words="bench doctor embed history list pull recommend remove run serve use verify --help --version"
    elif [[ $current == -* ]]; then
        # The options of a command are those that its help lists.
        words=$(pi-zoo "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u)
    elif [[ ${COMP_WORDS[1]} == @(remove|run|serve|use|verify|embed|bench|history) ]]; then
        words=$(cd /var/lib/pi-zoo/models 2>/dev/null && printf '%s\n' */ | grep -v '[*]' | tr -d /)
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _pi_zoo pi-zoo
