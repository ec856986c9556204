package rig_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
)

// This file reads TLS 1.0 as RFC 2246 lays it out, with nothing of crypto/tls: what the handset offers, and with the
// secrets of a key log what it sends.

// keyLog keeps master secrets by client random (NSS key log format).
type keyLog struct {
	mu      sync.Mutex
	secrets map[string][]byte
}

func (k *keyLog) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fields := strings.Fields(string(line))
	if len(fields) != 3 || fields[0] != "CLIENT_RANDOM" {
		return 0, fmt.Errorf("key log line %q", line)
	}
	secret, err := hex.DecodeString(fields[2])
	if err != nil {
		return 0, err
	}
	if k.secrets == nil {
		k.secrets = map[string][]byte{}
	}
	k.secrets[fields[1]] = secret
	return len(line), nil
}

func (k *keyLog) secret(clientRandom []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.secrets[hex.EncodeToString(clientRandom)]
}

// The content types of records that are told apart here.
const (
	recordChangeCipherSpec = 20
	recordHandshake        = 22
	recordData             = 23
)

type record struct {
	kind     byte
	version  uint16
	fragment []byte
}

// records cuts a stream into records; what is not whole is left away.
func records(b []byte) []record {
	var out []record
	for len(b) >= 5 {
		n := int(binary.BigEndian.Uint16(b[3:]))
		if len(b) < 5+n {
			break
		}
		out = append(out, record{b[0], binary.BigEndian.Uint16(b[1:]), b[5 : 5+n]})
		b = b[5+n:]
	}
	return out
}

// isTLS reports whether a stream begins with a handshake record.
func isTLS(b []byte) bool { return len(b) > 2 && b[0] == recordHandshake && b[1] == 3 }

// hello is what a ClientHello offers (RFC 2246 §7.4.1.2, RFC 3546 §2.3).
type hello struct {
	record, version uint16
	random          []byte
	suites          []uint16
	serverName      string
	extensions      []uint16
}

// String is how the golden files show it.
func (h hello) String() string {
	name := "no server name"
	if h.serverName != "" {
		name = "server name " + h.serverName
	}
	return fmt.Sprintf("record %04x, version %04x, suites %04x, %s", h.record, h.version, h.suites, name)
}

// reader takes big-endian fields of a message; after the end they are 0.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	n = min(n, len(r.b))
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(n int) int {
	v := 0
	for _, c := range r.take(n) {
		v = v<<8 | int(c)
	}
	return v
}

// vector takes a length of n bytes and what it counts.
func (r *reader) vector(n int) []byte { return r.take(r.number(n)) }

// readHello reads the ClientHello that a stream of a client begins with.
func readHello(sent []byte) hello {
	first := records(sent)
	if len(first) == 0 || first[0].kind != recordHandshake {
		return hello{}
	}
	r := reader{first[0].fragment}
	if r.number(1) != 1 {
		return hello{}
	}
	r = reader{r.vector(3)}
	h := hello{record: first[0].version, version: uint16(r.number(2)), random: r.take(32)}
	r.vector(1) // session
	for suites := (reader{r.vector(2)}); len(suites.b) > 0; {
		h.suites = append(h.suites, uint16(suites.number(2)))
	}
	r.vector(1) // compression
	for extensions := (reader{r.vector(2)}); len(extensions.b) > 0; {
		kind, value := uint16(extensions.number(2)), extensions.vector(2)
		h.extensions = append(h.extensions, kind)
		if kind == 0 {
			list := reader{(&reader{value}).vector(2)}
			list.take(1)
			h.serverName = string(list.vector(2))
		}
	}
	return h
}

// readServerHello gives version, random and suite of the ServerHello that a stream of a server begins with.
func readServerHello(received []byte) (version uint16, random []byte, suite uint16) {
	first := records(received)
	if len(first) == 0 || first[0].kind != recordHandshake {
		return 0, nil, 0
	}
	r := reader{first[0].fragment}
	if r.number(1) != 2 {
		return 0, nil, 0
	}
	r = reader{r.vector(3)}
	version, random = uint16(r.number(2)), r.take(32)
	r.vector(1)
	return version, random, uint16(r.number(2))
}

// sentInClear is what the handset sent on a connection, decrypted if that was TLS 1.0 with AES128-SHA.
func (c *call) sentInClear(keys *keyLog) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isTLS(c.sent) {
		return slices.Clone(c.sent), nil
	}
	client := readHello(c.sent)
	version, serverRandom, suite := readServerHello(c.received)
	secret := keys.secret(client.random)
	if version != 0x0301 || suite != 0x002f || secret == nil {
		return nil, fmt.Errorf("version %04x, suite %04x, secret of %d bytes: want 0301, 002f and 48", version, suite, len(secret))
	}
	block := prf(secret, "key expansion", slices.Concat(serverRandom, client.random), 2*(20+16+16))
	key, iv := block[40:56], block[72:88] // after two MAC keys, and both keys
	var clear []byte
	encrypted := false
	for _, r := range records(c.sent) {
		switch {
		case r.kind == recordChangeCipherSpec:
			encrypted = true
			continue
		case !encrypted:
			continue
		}
		plain, err := openRecord(key, iv, r.fragment)
		if err != nil {
			return nil, err
		}
		iv = r.fragment[len(r.fragment)-16:]
		if r.kind == recordData {
			clear = append(clear, plain...)
		}
	}
	return clear, nil
}

// openRecord decrypts a CBC record and cuts padding and MAC off (RFC 2246 §6.2.3.2).
func openRecord(key, iv, fragment []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(fragment) == 0 || len(fragment)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("record of %d bytes", len(fragment))
	}
	plain := make([]byte, len(fragment))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, fragment)
	rest := len(plain) - 1 - int(plain[len(plain)-1]) - sha1.Size
	if rest < 0 {
		return nil, fmt.Errorf("padding of %d bytes", plain[len(plain)-1])
	}
	return plain[:rest], nil
}

// prf is that of TLS 1.0 (RFC 2246 §5).
func prf(secret []byte, label string, seed []byte, n int) []byte {
	expand := func(newHash func() hash.Hash, secret []byte) []byte {
		sum := func(parts ...[]byte) []byte {
			mac := hmac.New(newHash, secret)
			for _, part := range parts {
				mac.Write(part)
			}
			return mac.Sum(nil)
		}
		labelled := slices.Concat([]byte(label), seed)
		var out []byte
		for a := sum(labelled); len(out) < n; a = sum(a) {
			out = append(out, sum(a, labelled)...)
		}
		return out[:n]
	}
	half := (len(secret) + 1) / 2
	out := expand(md5.New, secret[:half])
	subtle.XORBytes(out, out, expand(sha1.New, secret[len(secret)-half:]))
	return out
}
