package main

import (
	"io"
	"os"
	"strings"
)

// fileSuffix ends the name of a variable that names a file with a secret, as
// container platforms hand them out.
const fileSuffix = "_FILE"

// longestSecret is how much of such a file is read. Anything longer is none.
const longestSecret = 64 << 10

// secret is the value of the environment variable name, or else what the file
// holds that name and "_FILE" names.
func secret(name string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return secretIn(os.Getenv(name + fileSuffix))
}

// secretIn is what a file holds, without line ends behind it; nothing when it
// cannot be read or is no text of a secret's size.
func secretIn(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, longestSecret+1))
	if err != nil || len(data) > longestSecret {
		return ""
	}
	return strings.TrimRight(string(data), "\r\n")
}

// secrets are the values of environment variables that by their names are
// secret, and what is in the files that such names with "_FILE" behind name.
// Short ones are left out: they would black out words.
func secrets(environ []string) []string {
	var all []string
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if of, isFile := strings.CutSuffix(name, fileSuffix); isFile && secretName().MatchString(of) {
			name, value = of, secretIn(value)
		}
		if len(value) >= 6 && secretName().MatchString(name) {
			all = append(all, value)
		}
	}
	return all
}

var secretName = lazily(`(?i)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY)$`)
