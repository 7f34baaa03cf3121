<?php
/*
 * The URLs of the site's assets with their versions, for PHP 7.1 and later.
 * Written by "revstamp helper php"; write it again instead of changing it.
 *
 *   require_once 'revstamp.php';
 *   <link rel="stylesheet" href="<?= htmlspecialchars(Revstamp\asset('css/site.css')) ?>">
 *
 * The manifest is read again when it is another file than before, which costs a
 * stat for each call. With APCu it is parsed once for all requests, and one that
 * is missing or damaged for a moment costs no page; without, it is an exception.
 */
