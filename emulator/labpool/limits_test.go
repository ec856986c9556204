package labpool_test

import (
	"os"
	"strings"
	"testing"
)

// TestLimitsAreDocumented holds the limits that the package documents against the constants that make them.
func TestLimitsAreDocumented(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(strings.ReplaceAll(string(text), "//", "")), " ")
	}
	for file, limits := range map[string]map[string]string{ // what the code has: what the documentation says
		"webservices/server.go": {
			"maxConnections = 2048": "2048 connections of both ports", "headerTimeout = 30 * time.Second": "30 s for the TLS handshake, and for a header of 16 KiB",
			"maxHeader = 16 << 10": "a header of 16 KiB", "bodyTimeout = 60 * time.Second": "60 s for a request", "writeTimeout = 2 * time.Minute": "2 min for the answer",
			"idleTimeout = 2 * time.Minute": "2 min without a request",
		},
		"../../protocol/soap/read.go": {"MaxSize = 256 << 10": "a body of 256 KiB"},
		"registrar/guests.go":         {"maxStrangers = 1024": "1024 connections that nobody has authenticated on", "maxOfUser = 64": "64 of one user"},
		"registrar/connection.go": {
			"handshakeTime = 20 * time.Second": "20 s for the TLS handshake", "authenticationTime = 90 * time.Second": "90 s until somebody has authenticated", "idleTime = 600 * time.Second": "10 min without a byte",
			"messageTime = 60 * time.Second": "which is there within 60 to 120 s", "maxAssociations = 16": "16 associations", "maxDialogs = 64": "64 subscriptions of a connection",
		},
		"../../protocol/sipmessage/message.go": {"MaxSize = 64 << 10": "64 KiB a message"},
		"registrar/publication.go":             {"maxPublications = 256": "256 publications"},
		"../sipstack/conn.go":                  {"writeTime = 10 * time.Second": "10 s for a write"},
		"nameserver/stream.go":                 {"maxStreams = 64": "64 connections over TCP", "streamIdle = 10 * time.Second": "10 s and 4 KiB a query"},
		"nameserver/nameserver.go":             {"maxQuery = 4096": "4 KiB a query"},
		"dhcpserver/handle.go":                 {"offerFor = time.Minute": "each offered for a minute"},
		"switchport/speaker.go":                {"maxEndpoints = 4096": "4096 endpoints"},
	} {
		code := read(file)
		for constant, text := range limits {
			if !strings.Contains(code, constant) {
				t.Errorf("%s: no %s", file, constant)
			}
			if doc := read("labpool.go"); !strings.Contains(doc, text) {
				t.Errorf("the documentation does not say %q", text)
			}
		}
	}
	doc, code := read("manage/doc.go"), read("manage/server.go")
	for constant, text := range map[string]string{
		"maxBody = 64 << 10": "A body has 64 KiB at most", "maxHeader = 8 << 10": "a header 8 KiB", "maxConnections = 64": "there are 64",
		"requestTime = 10 * time.Second": "a request must be there within 10 s", "idleTime = time.Minute": "closed after a minute",
	} {
		if !strings.Contains(code, constant) || !strings.Contains(doc, text) {
			t.Errorf("management: %s, %q", constant, text)
		}
	}
}
