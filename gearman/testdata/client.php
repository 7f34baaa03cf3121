<?php // A client for TestPeers: client.php HOST PORT DIR POINT...
[, $host, $port, $dir] = $argv;
function client() {
    global $host, $port;
    $c = new GearmanClient();
    $c->addServer($host, (int)$port);
    return $c;
}
function events($function) {
    $c = client();
    $seen = [];
    $c->setDataCallback(function ($task) use (&$seen) { $seen[] = "data " . $task->data(); });
    $c->setWarningCallback(function ($task) use (&$seen) { $seen[] = "warning " . $task->data(); });
    $c->setStatusCallback(function ($task) use (&$seen) { $seen[] = "progress {$task->taskNumerator()}/{$task->taskDenominator()}"; });
    $c->setCompleteCallback(function ($task) use (&$seen) { $seen[] = "complete " . $task->data(); });
    $c->setFailCallback(function ($task) use (&$seen) { $seen[] = "failed"; });
    $c->setExceptionCallback(function ($task) use (&$seen) { $seen[] = "exception " . $task->data(); });
    $c->addTask($function, "x");
    $c->runTasks();
    return implode(", ", $seen);
}
function same($name) {
    global $dir;
    $workload = file_get_contents("$dir/$name");
    return client()->doNormal("echo", $workload) === $workload ? "same" : "other";
}
function known($status) {
    return ($status[0] ? "known" : "unknown") . ($status[1] ? " running" : "");
}
function note($word) {
    global $dir;
    return "$dir/gate $dir/log $word";
}

$c = client();
$first = "";
$points = [
    "ping" => fn() => $c->ping("hello") ? "pong" : $c->error(),
    "foreground" => fn() => $c->doNormal("upper", "hello"),
    "high" => fn() => $c->doHigh("upper", "hello"),
    "empty" => fn() => events("empty"),
    "fails" => fn() => events("fails"),
    "throws" => fn() => events("throws"),
    "events" => fn() => events("events"),
    "binary" => fn() => same("binary"),
    "1MB" => fn() => same("1MB"),
    "16MB" => fn() => same("16MB"),
    "status" => function () use ($c, &$first) {
        $first = $c->doBackground("note", note("first"), "the first");
        while (!($s = $c->jobStatus($first))[1]);
        return known($s);
    },
    "progress" => function () use ($c, &$first) {
        while (!($s = $c->jobStatus($first))[3]);
        return "$s[2]/$s[3]";
    },
    // A client that asked so hangs on its next job.
    "by unique" => fn() => known(client()->jobStatusByUniqueKey("the first")),
    "queue" => function () use ($c, &$first) {
        return count(array_unique([
            $first,
            $c->doLowBackground("note", note("low")),
            $c->doBackground("note", note("normal")),
            $c->doBackground("note", note("twin"), "the twin"),
            $c->doBackground("note", note("twin"), "the twin"),
            $c->doHighBackground("note", note("high")),
        ])) . " jobs";
    },
    "order" => function () use ($c, $dir) {
        touch("$dir/gate");
        return $c->doLow("note", note("last")) . " " . trim(file_get_contents("$dir/log"));
    },
    "over" => function () use ($c, &$first) { return known($c->jobStatus($first)); },
];
foreach (array_slice($argv, 4) as $point) echo "$point: ", $points[$point](), "\n";
