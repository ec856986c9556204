package handset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

const (
	dnsPort       = 53
	maxDNSMessage = 1500 // over UDP; without EDNS a server sends 512 bytes at most (RFC 1035 §4.2.1)
)

// errTruncated says that the answer did not fit into a datagram.
var errTruncated = errors.New("the answer is truncated")

// dnsQuery is one question to one server.
type dnsQuery struct {
	id     uint16
	name   dnsmessage.Name
	kind   dnsmessage.Type
	server netip.Addr
	packed []byte
	answer []byte // as it came, of the last
}

func newDNSQuery(id uint16, server netip.Addr, name string, kind dnsmessage.Type) (*dnsQuery, error) {
	qname, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("%s is not a DNS name: %w", name, err)
	}
	q := &dnsQuery{id: id, name: qname, kind: kind, server: server}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: qname, Type: kind, Class: dnsmessage.ClassINET}},
	}
	if q.packed, err = message.Pack(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return q, nil
}

func (q *dnsQuery) String() string {
	return kindName(q.kind) + " " + strings.TrimSuffix(q.name.String(), ".")
}

func (q *dnsQuery) tell() exchange.Content { return exchange.DNS(q.packed) }
func (q *dnsQuery) told() exchange.Content { return exchange.DNS(q.answer) }

func kindName(kind dnsmessage.Type) string { return strings.TrimPrefix(kind.String(), "Type") }

func codeName(code dnsmessage.RCode) string { return strings.TrimPrefix(code.String(), "RCode") }

// askDNS asks one server. It returns the records, or the alias that the answer ends with. A truncated answer is asked
// for again over TCP (RFC 7766 §5; that the handset's resolver does so is inferred).
func (h *Handset) askDNS(ctx context.Context, server netip.Addr, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, string, error) {
	var id [2]byte
	h.draw(id[:])
	q, err := newDNSQuery(binary.BigEndian.Uint16(id[:]), server, name, kind)
	if err != nil {
		return nil, "", err
	}
	code, answers, err := h.askOverUDP(ctx, q)
	if errors.Is(err, errTruncated) {
		h.received("dns", server.String(), q.String()+": truncated, asked again over TCP", q.told)
		code, answers, err = h.askOverTCP(ctx, q)
	}
	if err != nil {
		return nil, "", err
	}
	h.received("dns", server.String(), fmt.Sprintf("%v: %s, %d records", q, codeName(code), len(answers)), q.told)
	switch code {
	case dnsmessage.RCodeSuccess:
	case dnsmessage.RCodeNameError:
		return nil, "", fmt.Errorf("%v: %w", q, errNoName)
	default:
		return nil, "", fmt.Errorf("%v: DNS server %v answered %s", q, server, codeName(code))
	}
	records, alias, others, err := q.follow(answers)
	if others > 0 {
		h.dropped("dns", server.String(), fmt.Sprintf("%v: %d records of other names or kinds", q, others))
	}
	if alias != "" && !dhcpoption.IsHostName(alias) {
		h.dropped("dns", server.String(), fmt.Sprintf("%v: alias %q is no host name", q, alias))
		alias = ""
	}
	if err == nil && len(records) == 0 && alias == "" {
		err = errNoData
	}
	if err != nil {
		return nil, "", fmt.Errorf("%v: %w", q, err)
	}
	return records, alias, nil
}

func (h *Handset) askOverUDP(ctx context.Context, q *dnsQuery) (dnsmessage.RCode, []dnsmessage.Resource, error) {
	conn, err := h.station.DialUDP(netip.AddrPortFrom(q.server, dnsPort))
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(h.profile.DNSTimeout)); err != nil {
		return 0, nil, err
	}
	h.sent("dns", q.server.String(), q.String(), q.tell)
	if _, err := conn.Write(q.packed); err != nil {
		return 0, nil, err
	}
	buffer := make([]byte, maxDNSMessage+1)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return 0, nil, fmt.Errorf("%v: no answer from DNS server %v: %w", q, q.server, err)
		}
		if n > maxDNSMessage {
			h.dropped("dns", q.server.String(), fmt.Sprintf("an answer of more than %d bytes", maxDNSMessage))
			continue
		}
		code, answers, err := q.read(buffer[:n])
		if err == nil || errors.Is(err, errTruncated) {
			return code, answers, err
		}
		h.dropped("dns", q.server.String(), err.Error()) // somebody else may have sent it
	}
}

func (h *Handset) askOverTCP(ctx context.Context, q *dnsQuery) (dnsmessage.RCode, []dnsmessage.Resource, error) {
	ctx, cancel := context.WithTimeout(ctx, h.profile.DNSTimeout)
	defer cancel()
	failed := func(err error) (dnsmessage.RCode, []dnsmessage.Resource, error) {
		return 0, nil, fmt.Errorf("%v: no answer over TCP from DNS server %v: %w", q, q.server, err)
	}
	h.sent("dns", q.server.String(), q.String()+" over TCP", q.tell)
	conn, err := h.station.DialTCP(ctx, netip.AddrPortFrom(q.server, dnsPort))
	if err != nil {
		return failed(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.packed))), q.packed...)); err != nil {
		return failed(err)
	}
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		return failed(err)
	}
	message := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(conn, message); err != nil {
		return failed(err)
	}
	code, answers, err := q.read(message)
	if err != nil {
		h.dropped("dns", q.server.String(), err.Error())
		return failed(err)
	}
	return code, answers, nil
}

// read returns response code and answer section of the message if it answers q. The sections behind it are not read:
// address records for the targets of SRV (which dnsmasq sends and unbound does not) are asked for by name.
func (q *dnsQuery) read(b []byte) (dnsmessage.RCode, []dnsmessage.Resource, error) {
	var p dnsmessage.Parser
	header, err := p.Start(b)
	if err != nil {
		return 0, nil, fmt.Errorf("%d bytes are no DNS message: %w", len(b), err)
	}
	if header.ID != q.id || !header.Response {
		return 0, nil, fmt.Errorf("an answer to another question: ID %04x, %04x expected, response %v", header.ID, q.id, header.Response)
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return 0, nil, fmt.Errorf("%v: its answer is no DNS message: %w", q, err)
	}
	if len(questions) != 1 || !sameName(questions[0].Name, q.name) || questions[0].Type != q.kind || questions[0].Class != dnsmessage.ClassINET {
		return 0, nil, fmt.Errorf("an answer to another question: %d questions, not %v", len(questions), q)
	}
	if header.Truncated {
		q.answer = b
		return 0, nil, errTruncated
	}
	answers, err := p.AllAnswers()
	if err != nil {
		return 0, nil, fmt.Errorf("%v: its answer is no DNS message: %w", q, err)
	}
	q.answer = b
	return header.RCode, answers, nil
}

// follow picks the records that q asks for, from its name through aliases. Without any it returns the name that the
// aliases end with. others counts the records that belong to neither.
func (q *dnsQuery) follow(answers []dnsmessage.Resource) (records []dnsmessage.Resource, alias string, others int, err error) {
	name, used := q.name, 0
	for range maxAliases + 1 {
		var next *dnsmessage.Name
		for _, answer := range answers {
			if answer.Header.Class != dnsmessage.ClassINET || !sameName(answer.Header.Name, name) {
				continue
			}
			if body, ok := answer.Body.(*dnsmessage.CNAMEResource); ok && next == nil {
				used, next = used+1, &body.CNAME
			}
			if answer.Header.Type == q.kind {
				records = append(records, answer)
			}
		}
		if len(records) > 0 {
			return records, "", len(answers) - used - len(records), nil
		}
		if next == nil {
			if !sameName(name, q.name) {
				alias = strings.TrimSuffix(name.String(), ".")
			}
			return nil, alias, len(answers) - used, nil
		}
		name = *next
	}
	return nil, "", 0, errAliases
}

func sameName(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }
