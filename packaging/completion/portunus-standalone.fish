# SPDX-License-Identifier: MIT
# fish completion of portunus-standalone

complete -c portunus-standalone -f
complete -c portunus-standalone -n __fish_use_subcommand -a stats -d 'what a running one does'
complete -c portunus-standalone -l help -d 'show help'
complete -c portunus-standalone -n '__fish_seen_subcommand_from stats' -l socket -r -F -d 'the stats socket'
complete -c portunus-standalone -n '__fish_seen_subcommand_from stats' -l once -d 'print the figures of now'
complete -c portunus-standalone -n '__fish_seen_subcommand_from stats' -l text -d 'a line for each rule'
complete -c portunus-standalone -n '__fish_seen_subcommand_from stats' -l format -x -a 'json text table' -d 'how it is printed'

complete -c portunus-standalone -n __fish_use_subcommand -s c -l config -r -F -d 'the configuration file'
complete -c portunus-standalone -n __fish_use_subcommand -l check -d 'say what is wrong with the file'
complete -c portunus-standalone -n __fish_use_subcommand -l bind -d 'with --check: try the ports'
complete -c portunus-standalone -n __fish_use_subcommand -l print-rules -d 'write the rules as JSON'
complete -c portunus-standalone -n __fish_use_subcommand -l log-level -x -a 'error warn info debug' -d 'what is logged'
complete -c portunus-standalone -n __fish_use_subcommand -l log-format -x -a 'json pretty' -d 'how log lines look'
complete -c portunus-standalone -n __fish_use_subcommand -l no-stats -d 'no stats socket'
complete -c portunus-standalone -n __fish_use_subcommand -l stats-socket -r -F -d 'of the stats socket'
complete -c portunus-standalone -n __fish_use_subcommand -l instance -x -d 'name of the instance'
complete -c portunus-standalone -n __fish_use_subcommand -l run-dir -x -a '(__fish_complete_directories)' -d 'for lock and local view'
complete -c portunus-standalone -n __fish_use_subcommand -l status-socket -r -F -d 'of the local view'
complete -c portunus-standalone -n __fish_use_subcommand -l workers -x -d 'worker threads'
complete -c portunus-standalone -n __fish_use_subcommand -l accounting -x -a 'bpf user' -d 'who counts the bytes'
complete -c portunus-standalone -n __fish_use_subcommand -l splice -x -a 'on off' -d 'off: bytes are copied'
complete -c portunus-standalone -n __fish_use_subcommand -l sandbox -x -a 'on off' -d 'off: keep all rights'
complete -c portunus-standalone -n __fish_use_subcommand -l bpffs -x -a '(__fish_complete_directories)' -d 'where bpffs is mounted'
complete -c portunus-standalone -n __fish_use_subcommand -l version -d 'show the version'
