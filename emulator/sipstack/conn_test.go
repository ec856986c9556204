package sipstack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// spelled are messages that a stack with typed headers would write otherwise.
var spelled = map[string]string{
	"odd order, case and blanks": lines("",
		"REGISTER sip:lab.test SIP/2.0", "CSEQ: 1   REGISTER", "max-forwards: 070", "call-id: 6B2dec", "FROM: <sip:user1@lab.test>;tag=c5;epid=A0ae",
		"t: sip:user1@lab.test", "Via: SIP/2.0/TLS 10.0.0.21:50123", "content-length: 0"),
	"Via without branch": lines("",
		"SIP/2.0 401 Unauthorized", "Via: SIP/2.0/TLS 10.0.0.21:50123;received=10.0.0.21;ms-received-port=50123;ms-received-cid=4600", "Content-Length: 0"),
	"broken typed headers": lines("",
		"SUBSCRIBE sip:user1@lab.test SIP/2.0", "Via: nonsense", "CSeq: none", "Max-Forwards: many", "Contact: <sip:", "From: ", "Content-Type: ",
		"Call-ID: ", "Content-Length: 0"),
	"the same header twice, and apart": lines("",
		"REGISTER sip:lab.test SIP/2.0", "Supported: gruu-10, adhoclist", "Via: SIP/2.0/TLS a", "Supported: ms-forking", "Via: SIP/2.0/TLS b;branch=z9hG4bK1", "Content-Length: 0"),
	"parameters in order": lines("",
		"REGISTER sip:lab.test SIP/2.0",
		`Contact: <sip:10.0.0.21:50123;transport=tls;ms-opaque=d3>;methods="INVITE, BENOTIFY";proxy=replace;+sip.instance="<urn:uuid:1>"`, "Content-Length: 0"),
	"compact names":     lines("v=0\r\n", "INVITE sip:10.0.0.21 SIP/2.0", "i: 1", "c: application/sdp", "l: 5"),
	"folded value":      lines("", "NOTIFY sip:10.0.0.21 SIP/2.0", "Subject: a\r\n b\r\n\tc", "Content-Length: 0"),
	"empty reason":      lines("", "SIP/2.0 200 ", "Content-Length: 0"),
	"reason with words": lines("", "SIP/2.0 481 Call Leg/Transaction Does Not Exist", "Content-Length: 0"),
	"unknown method":    lines("", "NEGOTIATE sip:127.0.0.1:5061 SIP/2.0", "Compression: LZ77-64K", "Content-Length: 0"),
	"lower-case method": lines("", "register sip:lab.test SIP/2.0", "Content-Length: 0"),
	"GRUU":              lines("", "NOTIFY sip:user1@lab.test;opaque=user:epid:5Pp1tW9rRVOuy5vCbnl7AAAA;gruu SIP/2.0", "Content-Length: 0"),
	"tel URI":           lines("", "INVITE tel:+12065551219;ext=1219 SIP/2.0", "Content-Length: 0"),
	"URI with headers":  lines("", "INVITE sip:user1@lab.test;gruu;opaque=app:conf:focus:id:1?a=b SIP/2.0", "Content-Length: 0"),
	"bytes of no text":  lines("\x00\xff\r\n\r\nSIP/2.0 200 OK\r\n\r\n", "MESSAGE sip:10.0.0.21 SIP/2.0", "Content-Length: 24"),
	"UTF-8":             lines("Zoë", "MESSAGE sip:10.0.0.21 SIP/2.0", "Subject: Zoë", "Content-Length: 4"),
	"no Via at all":     lines("", "SIP/2.0 200 OK", "Content-Length: 0"),
	"Content-Length 00": lines("", "SIP/2.0 200 OK", "Content-Length: 00"),
}

// captured adds the messages of sip.md §8.
func captured(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, message := range spelled {
		all[name] = message
	}
	files, err := filepath.Glob("../../protocol/sipmessage/testdata/*.sip")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(b)
	}
	return all
}

func TestSendWritesTheBytesGiven(t *testing.T) {
	for name, message := range captured(t) {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				go l.send(message)
				l.hears(message)
				l.hearsNothing()
			})
		})
	}
}

func TestMessagesArriveAsTheyCame(t *testing.T) {
	for name, message := range captured(t) {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				l.says(message, message)
				l.gets(message, message)
			})
		})
	}
}

func TestBothTransportsAreAlike(t *testing.T) {
	for _, transport := range []string{"", "tls", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			l := attach(t, sipstack.Options{Transport: transport})
			defer l.end()
			l.says(notify(1))
			l.gets(notify(1))
			go l.send(notify(2))
			l.hears(notify(2))
		})
	}
}

// A message that cannot be written is refused; the connection lives on.
func TestSendRefusesWhatIsNoMessage(t *testing.T) {
	virtual(t, func(l *line) {
		for _, m := range []*sipmessage.Message{
			{},
			{Status: 99},
			{Method: "REGISTER", RequestURI: "sip:lab.test", Headers: []sipmessage.Header{{Name: "A", Value: "b\r\nInjected: c"}}},
			{Status: 200, Body: make([]byte, sipmessage.MaxSize)},
		} {
			if err := l.Send(m); err == nil {
				l.Errorf("sent %+.60v", m)
			}
		}
		l.hearsNothing()
		if l.Err() != nil {
			l.Fatal(l.Err())
		}
		l.says(notify(1))
		l.gets(notify(1))
	})
}

// In-band provisioning comes as many BENOTIFYs at once; the last one counts.
func TestOrderIsThatOfTheWire(t *testing.T) {
	const count = 200
	for name, writes := range map[string][]string{
		"one read each": notifies(count),
		"in few reads":  {strings.Join(notifies(count), "")},
		"byte by byte":  strings.Split(strings.Join(notifies(count), ""), ""),
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				go l.says(writes...)
				l.gets(notifies(count)...)
			})
		})
	}
}

// What nobody takes is not read: the peer is held up, and nothing is lost.
func TestSlowReaderHoldsThePeerUp(t *testing.T) {
	const count = 200
	virtual(t, func(l *line) {
		written := make(chan struct{})
		go func() {
			defer close(written)
			l.says(notifies(count)...)
		}()
		synctest.Wait()
		select {
		case <-written:
			l.Fatal("all was read though nobody takes it")
		default:
		}
		l.gets(notifies(count)...)
		<-written
	})
}

// Nothing is answered but by the caller: neither requests nor responses nor keep-alives nor what makes no sense to
// sipgo's transactions.
func TestTheStackIsSilent(t *testing.T) {
	for name, message := range map[string]string{
		"BENOTIFY":            notify(1),
		"request":             lines("", "OPTIONS sip:10.0.0.21 SIP/2.0", "Via: SIP/2.0/TLS 10.0.0.1;branch=z9hG4bK1", "CSeq: 1 OPTIONS", "Content-Length: 0"),
		"INVITE":              lines("", "INVITE sip:10.0.0.21 SIP/2.0", "Via: SIP/2.0/TLS 10.0.0.1", "CSeq: 1 INVITE", "Content-Length: 0"),
		"ACK of nothing":      lines("", "ACK sip:10.0.0.21 SIP/2.0", "CSeq: 1 ACK", "Content-Length: 0"),
		"response of nothing": lines("", "SIP/2.0 200 OK", "CSeq: 7 REGISTER", "Content-Length: 0"),
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				l.says(message)
				l.gets(message)
				l.hearsNothing()
			})
		})
	}
}

func TestKeepAliveIsWritten(t *testing.T) {
	virtual(t, func(l *line) {
		go func() {
			if err := l.KeepAlive(); err != nil {
				l.Error(err)
			}
			if err := l.send(notify(1)); err != nil {
				l.Error(err)
			}
		}()
		l.hears(keepAlive + notify(1))
		l.hearsNothing()
	})
}

// Keep-alives are dropped wherever they stand between messages and however they are split, without an answer.
func TestKeepAliveIsReadOver(t *testing.T) {
	response := lines("v=0\r\n", "SIP/2.0 200 OK", "Content-Length: 5")
	for _, empty := range []string{"\r\n", keepAlive, keepAlive + "\r\n", strings.Repeat(keepAlive, 600)} {
		for cut := range min(len(empty)+1, 8) {
			t.Run(fmt.Sprintf("%d bytes cut after %d", len(empty), cut), func(t *testing.T) {
				virtual(t, func(l *line) {
					go l.says(empty[:cut], empty[cut:]+response+empty[:cut], empty[cut:], response+empty[:cut], empty[cut:]+response, empty)
					l.gets(response, response, response)
					l.hearsNothing()
					if l.Err() != nil {
						l.Fatal(l.Err())
					}
				})
			})
		}
	}
}

// Several goroutines send; messages and keep-alives do not run into each other.
func TestSendersDoNotMix(t *testing.T) {
	const senders, each = 4, 25
	virtual(t, func(l *line) {
		message := notify(1)
		for range senders {
			go func() {
				for range each {
					if err := l.send(message); err != nil {
						l.Error(err)
					}
				}
			}()
		}
		for range senders * each {
			l.hears(message)
		}
		l.hearsNothing()
	})
}
