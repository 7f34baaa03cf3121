<?php
// Includes the file that the first argument names and prints what each of the
// expressions on standard input, one a line, is after that: its type, and its
// value as a string, in base64.
ob_start();
$return = include $argv[1];
ob_end_clean();
while (($expression = fgets(STDIN)) !== false) {
    $value = eval("return $expression;");
    echo gettype($value), ' ', base64_encode(is_bool($value) ? ($value ? 'true' : 'false') : ($value ?? 'null')), "\n";
}
