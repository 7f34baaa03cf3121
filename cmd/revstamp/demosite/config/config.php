<?php
// The revision that is live; revstamp writes it here.
$config['svn'] = '0';
$config['name'] = 'The Corner Shop';
