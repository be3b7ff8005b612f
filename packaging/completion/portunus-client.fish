# SPDX-License-Identifier: MIT
# fish completion of portunus-client

complete -c portunus-client -f
complete -c portunus-client -n __fish_use_subcommand -a enroll -d "become a server's edge"
complete -c portunus-client -n __fish_use_subcommand -a stats -d 'figures of each rule'
complete -c portunus-client -n __fish_use_subcommand -a connections -d 'the open connections'
complete -c portunus-client -n __fish_use_subcommand -a flows -d 'the UDP flows'
complete -c portunus-client -n __fish_use_subcommand -a status -d 'version, modes, memory'
complete -c portunus-client -n __fish_use_subcommand -a top -d 'rules and rates on the terminal'
complete -c portunus-client -n __fish_use_subcommand -a metrics -d 'all figures for Prometheus'
complete -c portunus-client -n __fish_use_subcommand -a drain -d 'a target takes no new connections'
complete -c portunus-client -n __fish_use_subcommand -a undrain -d 'it takes new connections again'
complete -c portunus-client -n __fish_use_subcommand -a failback -d 'the best target takes new connections again'
complete -c portunus-client -n __fish_use_subcommand -a unpin -d 'remove what a stopped edge left'

complete -c portunus-client -l help -d 'show help'
complete -c portunus-client -n "not __fish_seen_subcommand_from enroll" -l instance -x -d 'name of the instance'
complete -c portunus-client -n "not __fish_seen_subcommand_from enroll" -l run-dir -x -a '(__fish_complete_directories)' -d 'run directory of the edge'
complete -c portunus-client -n "not __fish_seen_subcommand_from enroll" -l status-socket -r -F -d 'socket of the local view'
complete -c portunus-client -n '__fish_seen_subcommand_from enroll' -l out -r -F -d 'where the bundle goes'
complete -c portunus-client -n '__fish_seen_subcommand_from stats connections flows status' -l json -d 'one line of JSON'
complete -c portunus-client -n '__fish_seen_subcommand_from stats' -l per-target -d 'a row for each target'
complete -c portunus-client -n '__fish_seen_subcommand_from stats' -l per-port -d 'a row for each port of a range that was used'
complete -c portunus-client -n '__fish_seen_subcommand_from stats' -l watch -d 'once per second'
complete -c portunus-client -n '__fish_seen_subcommand_from drain' -l kill -d 'end open connections too'
complete -c portunus-client -n '__fish_seen_subcommand_from unpin' -l bpffs -x -a '(__fish_complete_directories)' -d 'where bpffs is mounted'

complete -c portunus-client -n __fish_use_subcommand -l rules -r -F -d 'serve the rules of a file'
complete -c portunus-client -n __fish_use_subcommand -l bundle -r -F -d 'serve the rules of the server in this bundle'
complete -c portunus-client -n __fish_use_subcommand -l check -d 'read the rules and exit'
complete -c portunus-client -n __fish_use_subcommand -l workers -x -d 'worker threads'
complete -c portunus-client -n __fish_use_subcommand -l shutdown-drain-timeout-secs -x -d 'how long connections may go on after a stop'
complete -c portunus-client -n __fish_use_subcommand -l drain-timeout -x -d 'the same'
complete -c portunus-client -n __fish_use_subcommand -l reconnect-initial-delay-ms -x -d 'longest first wait to reconnect'
complete -c portunus-client -n __fish_use_subcommand -l reconnect-max-delay-secs -x -d 'longest wait before any attempt'
complete -c portunus-client -n __fish_use_subcommand -l stats-report-interval-secs -x -d 'between reports to the server'
complete -c portunus-client -n __fish_use_subcommand -l accounting -x -a 'bpf user' -d 'who counts the bytes'
complete -c portunus-client -n __fish_use_subcommand -l splice -x -a "on off" -d "off: bytes are copied"
complete -c portunus-client -n __fish_use_subcommand -l sni-miss-alert -x -a "on off" -d "off: no TLS alert for a name without a rule"
complete -c portunus-client -n __fish_use_subcommand -l sandbox -x -a "on off" -d "off: keep all rights"
complete -c portunus-client -n __fish_use_subcommand -l metrics-listen -r -F -d 'serve GET /metrics there'
complete -c portunus-client -n __fish_use_subcommand -l state-dir -x -a '(__fish_complete_directories)' -d 'for what outlives a restart'
complete -c portunus-client -n __fish_use_subcommand -l bpffs -x -a '(__fish_complete_directories)' -d 'where bpffs is mounted'
complete -c portunus-client -n __fish_use_subcommand -l version -d 'show the version'
