<?php
// Prints, for each "offset source" line on standard input (the source in
// base64), the value of the string literal that begins at the offset by PHP's
// own tokenizer, decoded by PHP, in base64.
while (($line = fgets(STDIN)) !== false) {
    [$offset, $source] = explode(' ', $line);
    $at = 0;
    foreach (@token_get_all(base64_decode($source)) as $token) {
        $text = is_array($token) ? $token[1] : $token;
        if ($at === (int) $offset && $token[0] === T_CONSTANT_ENCAPSED_STRING) {
            echo base64_encode(eval("return $text;"));
        }
        $at += strlen($text);
    }
    echo "\n";
}
