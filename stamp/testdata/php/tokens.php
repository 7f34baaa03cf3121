<?php
// Prints, for each source (base64, one a line on standard input), where its
// segments begin and end by PHP's own tokenizer: "kind start end" lines, then one
// with a dot. Strings and heredocs with code inside are one segment.
$single = [
    T_INLINE_HTML => 'html', T_OPEN_TAG => 'open', T_OPEN_TAG_WITH_ECHO => 'open', T_CLOSE_TAG => 'close',
    T_COMMENT => 'comment', T_DOC_COMMENT => 'comment', T_CONSTANT_ENCAPSED_STRING => 'string',
    T_VARIABLE => 'variable', T_LNUMBER => 'number', T_DNUMBER => 'number',
];
while (($line = fgets(STDIN)) !== false) {
    $at = 0;
    $start = 0;
    $kind = '';
    $stack = [];
    foreach (@token_get_all(base64_decode($line)) as $token) {
        [$id, $text] = is_array($token) ? $token : [0, $token];
        $before = $at;
        $at += strlen($text);
        $top = end($stack);
        $opens = $id === 0 && ($text === '"' || $text === '`' || strtolower($text) === 'b"') ? substr($text, -1) : ($id === T_START_HEREDOC ? 'heredoc' : '');
        if ($top === '"' || $top === '`' || $top === 'heredoc') {
            if ($id === T_CURLY_OPEN || $id === T_DOLLAR_OPEN_CURLY_BRACES) {
                $stack[] = '}';
            } elseif ($id === 0 && $text === $top || $top === 'heredoc' && $id === T_END_HEREDOC) {
                array_pop($stack);
                if (!$stack) {
                    echo "$kind $start $at\n";
                }
            }
        } elseif ($opens !== '') {
            if (!$stack) {
                $start = $before;
                $kind = ['"' => 'interpolated', '`' => 'backtick', 'heredoc' => 'heredoc'][$opens];
            }
            $stack[] = $opens;
        } elseif ($stack && $id === 0 && $text === '{') {
            $stack[] = '}';
        } elseif ($stack && $id === 0 && $text === '}') {
            array_pop($stack);
        } elseif (!$stack && isset($single[$id])) {
            echo $single[$id], " $before $at\n";
        }
    }
    echo $stack ? "unclosed\n.\n" : ".\n";
}
