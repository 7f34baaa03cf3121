# A worker for TestPeers of libgearman's command: worker.sh HOST PORT
#
# It does one function with one program, hence a process for each. It hands the
# workload to the program before it reads what that prints, and hangs when more
# is printed meanwhile than a pipe holds: hence the temporary file.
host=$1 port=$2
work() {
	function=$1
	shift
	gearman -h "$host" -p "$port" -w -f "$function" -- "$@" &
}
work upper tr a-z A-Z
work echo sh -c 'all=$(mktemp) && cat >"$all" && cat "$all" && rm "$all"'
work empty true
work note sh -c 'read -r gate log word
	until [ -e "$gate" ]; do sleep 0.01; done
	printf "%s " "$word" >>"$log"
	printf noted'
# The command takes the end of a child that failed for an error of its own.
while :; do
	gearman -h "$host" -p "$port" -w -c 1 -f fails -- false 2>/dev/null
done
