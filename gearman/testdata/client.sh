# A client for TestPeers of libgearman's commands: client.sh HOST PORT DIR POINT...
set -eu
host=$1 port=$2 dir=$3
shift 3

submit() { gearman -h "$host" -p "$port" "$@"; }
note() {
	word=$1
	shift
	printf '%s %s %s' "$dir/gate" "$dir/log" "$word" | submit -f note "$@"
}
jobs() { gearadmin -h "$host" -p "$port" --status | awk '$1 == "note" { print $'"$1"' }'; }
known() {
	if [ "$(jobs 2)" = 0 ]; then printf unknown; else printf known; fi
	if [ "$(jobs 3)" = 0 ]; then echo; else echo ' running'; fi
}
same() { if submit -f echo <"$dir/$1" | cmp - "$dir/$1"; then echo same; else echo other; fi; }

for point; do
	printf '%s: ' "$point"
	case $point in
	foreground) printf hello | submit -f upper && echo ;;
	high) printf hello | submit -I -f upper && echo ;;
	empty) echo "complete $(submit -s -f empty)" ;;
	fails) if answer=$(submit -s -f fails 2>&1); then echo "$answer"; else echo "${answer#Job }"; fi ;;
	binary | 1MB) same "$point" ;;
	status)
		note first -b
		until known | grep -q running; do :; done
		known
		;;
	queue)
		note low -b -L
		note normal -b
		note twin -b -u 'the twin'
		note twin -b -u 'the twin'
		note high -b -I
		echo "$(jobs 2) jobs"
		;;
	order)
		touch "$dir/gate"
		last=$(note last -L)
		echo "${last%30% Complete*} $(sed 's/ $//' "$dir/log")" # progress is among the results
		;;
	over) known ;;
	esac
done
