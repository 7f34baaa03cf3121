package stamp_test

import (
	"fmt"

	"revstamp/stamp"
)

func ExampleTarget_Edit() {
	src := []byte("<?php\n$config['svn'] = '0'; // set by the release\n")
	target := stamp.Target{File: "config.php", Key: "$config['svn']", Value: "4123:4168MS"}
	out, changes, err := target.Edit(src)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", out)
	for _, c := range changes {
		fmt.Printf("%s:%d: %s: %q, was %q\n", c.File, c.Line, c.Key, c.New, c.Old)
	}
	// Output:
	// <?php
	// $config['svn'] = '4123:4168MS'; // set by the release
	// config.php:2: $config['svn']: "4123:4168MS", was "0"
}
