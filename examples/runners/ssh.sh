#!/bin/sh
# Times a model on another machine: a runner for `lathe latency ... --runner command` that hands the
# work to a runner over there.
#
#   lathe latency benchmark --arch a.json --space mbv3_28 --runner command \
#     --command 'examples/runners/ssh.sh user@phone "python3 my_runner.py"'
#
# $1: host; $2: command there, given the model's path; $3: the model, appended by lathe.
# Needs a key or an agent: there is nobody to type a password.
set -eu
if [ $# -ne 3 ]; then
  echo "usage: ssh.sh HOST REMOTE_COMMAND MODEL" >&2
  exit 2
fi
host=$1
remote_command=$2
model=$3
remote_model=/tmp/lathe_model_$(id -u)_$$.onnx

# Standard input is the request: it must be left to the last ssh.
ssh -o BatchMode=yes "$host" "cat > '$remote_model'" < "$model"
status=0
ssh -o BatchMode=yes "$host" "$remote_command '$remote_model'" || status=$?
ssh -n -o BatchMode=yes "$host" "rm -f '$remote_model'" || true
exit "$status"
