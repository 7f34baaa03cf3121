<?php require __DIR__ . '/../config/config.php'; ?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?= htmlspecialchars($config['name']) ?></title>
<link rel="stylesheet" href="/css/site.css">
<script src="/js/app.js" defer></script>
</head>
<body>
<img src="/img/logo.svg" alt="" width="64" height="64">
<h1><?= htmlspecialchars($config['name']) ?></h1>
<p>Open from nine to five. Revision <?= htmlspecialchars($config['svn']) ?>.</p>
</body>
</html>
