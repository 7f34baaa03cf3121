#!/usr/bin/php
html <? echo 'short'; ?> <?PHP
$a = "x {$b["k"]} ${c} ${d['e']} $f[0] $g[h] $i->j {$k->l("m {$n}")}";
$b = "{$x::$y['"']} \" \\"; $c = b"bin $x"; $d = B'bin'; $e = '\\'; $f = '\'';
$h = <<<EOT
  EOTX {$a['EOT']} "quoted" 'q' `b` <?php ?> // #
  EOT . "x" . <<<'NOW'
 NOWX $a {$
NOW; # comment ?> html <?= $x, 1_000, 0x1F, .5, 1.e3, 1..2, 0b11, 0o17 ?>
<?php // comment ?> more html
<?php /** doc */ #[Attr("x")] function &f() {} `shell {$x['`']} $y`; $$v = ${'w'};
$heredoc = [<<<"A"
A, <<<B
    text
    B, 'end' => fn() => <<<C
    \C
    C];
if ($x): ?>
<p>$html "quote' <?php endif; $o?->p?->q; Foo\Bar::baz; \strlen(namespace\x()); #
?>

tail
<?php __HALT_COMPILER ( ) ;
data 'unclosed <?php "
