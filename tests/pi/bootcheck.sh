#!/bin/sh
# Runs in the booted system: starts, watches, damages and stops the service, and writes what it saw to /seen.
exec >/seen 2>/seen.log
unit=pi-zoo@demo.service
show() { echo "$1 $(systemctl show -p ActiveState -p Result -p ExecMainStatus -p NRestarts --value "$unit" | tr '\n' ' ')"; }
probe() { python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8080/health", timeout=5).status)' 2>/dev/null || echo 0; }

systemctl start --no-block "$unit"
for turn in $(seq 600); do
	# The probe first: a unit that is active now must have answered before.
	state=$(systemctl show -p ActiveState --value "$unit")
	answer=$(probe)
	echo "turn $state $answer"
	if [ "$state" = active ] || [ "$state" = failed ]; then break; fi
	sleep 0.2
done
show started
systemctl show -p MemoryMax -p MemorySwapMax -p User -p DynamicUser "$unit" | sed 's/^/setting /'
pid=$(systemctl show -p MainPID --value "$unit")
grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status | sed 's/^/status /'
python3 - <<'CODE'
import json, urllib.request as u
body = json.dumps({"prompt": "The capital of France is", "n_predict": 4, "temperature": 0}).encode()
answer = json.load(u.urlopen(u.Request("http://127.0.0.1:8080/completion", body), timeout=300))
print("answer", json.dumps(answer["content"]))
CODE
systemctl stop "$unit"
show stopped
echo "probe $(probe)"

model=/var/lib/pi-zoo/models/demo/1.0.0/model.gguf
printf '\001' | dd of=$model bs=1 seek=200000 conv=notrunc status=none
systemctl start "$unit" || true
sleep 12
show refused
journalctl --no-pager -o cat -u "$unit" | sed 's/^/journal /'

apt-get purge -y pi-zoo-runtime >/purge.log 2>&1
echo "purge $?"
show purged
systemctl poweroff
