package vcs

import "io"

// ReadSvnInfo is readInfo.
func ReadSvnInfo(r io.Reader, visit func(path, kind, schedule, checksum, changed string)) error {
	return readInfo(r, func(f svnFile) { visit(f.path, f.kind, f.schedule, f.checksum, f.changed) })
}
