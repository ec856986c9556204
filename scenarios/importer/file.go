package importer

import (
	"bytes"
	"encoding/binary"
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

// Block types of pcapng (draft-ietf-opsawg-pcapng), and the type of secrets that is a TLS key log.
const (
	blockSection = 0x0a0d0d0a
	blockSecrets = 0x0000000a
	secretsTLS   = 0x544c534b
	magicSame    = 0x1a2b3c4d

	maxSecrets = 8 << 20 // bytes of all key logs of a capture
)

// embeddedSecrets are the key logs in the Decryption Secrets Blocks of a pcapng file, wherever they stand in it.
func embeddedSecrets(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []byte
	var order binary.ByteOrder = binary.LittleEndian
	head := make([]byte, 12)
	for at := int64(0); ; {
		if _, err := f.ReadAt(head, at); err != nil {
			return out, nil // the end, or what tshark will complain about
		}
		if order.Uint32(head) == blockSection || binary.BigEndian.Uint32(head) == blockSection {
			order = binary.LittleEndian
			if binary.BigEndian.Uint32(head[8:]) == magicSame {
				order = binary.BigEndian
			}
		}
		size := int64(order.Uint32(head[4:]))
		if size < 12 || size%4 != 0 {
			return out, nil
		}
		if order.Uint32(head) == blockSecrets && order.Uint32(head[8:]) == secretsTLS {
			secrets, err := secretsBlock(f, order, at, size)
			if err != nil {
				return nil, err
			}
			if len(secrets) > 0 {
				out = append(append(out, secrets...), '\n')
			}
			if len(out) > maxSecrets {
				return nil, fmt.Errorf("the secrets in the capture have more than %d bytes", maxSecrets)
			}
		}
		at += size
	}
}

func secretsBlock(f io.ReaderAt, order binary.ByteOrder, at, size int64) ([]byte, error) {
	length := make([]byte, 4)
	if _, err := f.ReadAt(length, at+12); err != nil {
		return nil, nil // cut short
	}
	n := int64(order.Uint32(length))
	if n > size-20 {
		return nil, fmt.Errorf("%w: a block of secrets is longer than its block", ErrNoCapture)
	}
	if n > maxSecrets {
		return nil, fmt.Errorf("the secrets in the capture have more than %d bytes", maxSecrets)
	}
	secrets := make([]byte, n)
	if _, err := f.ReadAt(secrets, at+16); err != nil {
		return nil, nil
	}
	return bytes.TrimRight(secrets, "\x00"), nil
}
