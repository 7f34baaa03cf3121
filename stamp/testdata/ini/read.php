<?php
// Prints what parse_ini_string finds in each source (base64, one a line on
// standard input) with each of its scanners: "scanner section key value" lines,
// the last three in base64 after a colon, then one with a dot. What a scanner
// refuses has no lines. An element of an array has the key array[index].
$scanners = ['normal' => INI_SCANNER_NORMAL, 'raw' => INI_SCANNER_RAW, 'typed' => INI_SCANNER_TYPED];

function show(string $scanner, string ...$words)
{
    echo $scanner, " ", implode(" ", array_map(fn ($word) => ":" . base64_encode($word), $words)), "\n";
}

while (($line = fgets(STDIN)) !== false) {
    foreach ($scanners as $name => $scanner) {
        foreach (@parse_ini_string(base64_decode($line), true, $scanner) ?: [] as $section => $values) {
            if (!is_array($values)) {
                show($name, '', $section, (string) $values);
                continue;
            }
            foreach ($values as $key => $value) {
                if (!is_array($value)) {
                    show($name, $section, $key, (string) $value);
                    continue;
                }
                foreach ($value as $index => $element) {
                    show($name, $section, "{$key}[$index]", (string) $element);
                }
            }
        }
    }
    echo ".\n";
}
