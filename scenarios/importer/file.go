package importer

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// magics begin the files that can be read.
var magics = map[string]string{
	"\x0a\x0d\x0d\x0a": "pcapng",
	"\xd4\xc3\xb2\xa1": "pcap", "\xa1\xb2\xc3\xd4": "pcap", // microseconds
	"\x4d\x3c\xb2\xa1": "pcap", "\xa1\xb2\x3c\x4d": "pcap", // nanoseconds
	"\x1f\x8b": "gzip",
}

// checkFile says what is wrong with a file before tshark sees it: tshark takes a text for a capture without frames.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: a regular file expected", path)
	}
	if info.Size() == 0 {
		return fmt.Errorf("%s: %w: it is empty", path, ErrNoCapture)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	for _, size := range []int{4, 2} {
		if n >= size && magics[string(head[:size])] != "" {
			return nil
		}
	}
	return fmt.Errorf("%s: %w: it begins with %x, neither pcapng nor pcap", path, ErrNoCapture, head[:n])
}
