<?php
// bench.php HOST PORT WHAT N SET does as bench.c does, with php-gearman.
[, $host, $port, $what, $left, $size] = $argv;
$workload = str_repeat("x", 64);
$client = new GearmanClient();
$client->addServer($host, (int) $port);
$client->ping("x");
$one = [
	"background" => fn() => $client->doBackground("f", $workload),
	"status" => fn() => $client->jobStatus("H:nowhere:1"),
	"foreground" => fn() => $client->doNormal("f", $workload),
][$what];
$add = [
	"background" => fn() => $client->addTaskBackground("f", $workload),
	"status" => fn() => $client->addTaskStatus("H:nowhere:1"),
	"foreground" => fn() => $client->addTask("f", $workload),
][$what];
$start = microtime(true);
for (; $left > 0; $left -= $size) {
	if ($size == 1) {
		$one();
	} else {
		$tasks = [];
		for ($i = min($left, $size); $i > 0; $i--) {
			$tasks[] = $add();
		}
		if (!$client->runTasks()) {
			exit($client->error());
		}
	}
	if ($client->returnCode() != GEARMAN_SUCCESS) {
		exit($client->error());
	}
}
printf("%.6f\n", microtime(true) - $start);
