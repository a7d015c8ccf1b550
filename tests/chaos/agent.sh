# An agent that keeps its own account: agent.sh JOURNAL LABEL LINES [ask]
# Each start and end is a line of JOURNAL/agents; what it says stands in JOURNAL/out.ATTEMPT before it is said.
# It holds a lock per task, so a second one beside it notices and writes DOUBLE.
journal=$1 label=$2 lines=$3 asks=$4 me=$OPENRUNTIME_ATTEMPT_ID
note() { echo "$1 $label $me" >>"$journal/agents"; }
say() {
    echo "$1" >>"$journal/out.$me"
    echo "$1"
}
exec 9>>"$journal/lock.$label"
flock -n 9 || note DOUBLE
note start
i=0
while [ "$i" -lt "$lines" ]; do
    i=$((i + 1))
    say "$me says $i of $lines → ✓"
    [ $((i % 10)) = 0 ] && sleep 0.02
done
if [ "$asks" = ask ]; then
    say "go on?"
    while read -r answer && [ "$answer" != go ]; do say "heard $answer"; done
fi
echo "$me" >>"$label.txt"
note end
