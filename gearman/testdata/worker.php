<?php // A worker for TestPeers: worker.php HOST PORT
[, $host, $port] = $argv;
$w = new GearmanWorker();
$w->addServer($host, (int)$port);
$w->addFunction("upper", fn($job) => strtoupper($job->workload()));
$w->addFunction("echo", fn($job) => $job->workload());
$w->addFunction("empty", fn($job) => "");
$w->addFunction("fails", function ($job) { $job->sendFail(); });
$w->addFunction("throws", function ($job) { $job->sendException("boom"); });
$w->addFunction("events", function ($job) {
    $job->sendStatus(1, 4);
    $job->sendData("half");
    $job->sendWarning("careful");
    return "done";
});
$w->addFunction("note", function ($job) {
    [$gate, $log, $word] = explode(" ", $job->workload());
    $job->sendStatus(3, 10);
    for (; !file_exists($gate); clearstatcache()) usleep(1000);
    file_put_contents($log, "$word ", FILE_APPEND);
    return "noted";
});
while ($w->work());
