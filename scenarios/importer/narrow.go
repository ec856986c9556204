package importer

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// maxHandset bounds the bytes of one handset's frames. A boot has some 100,000; a day of registration a few million.
const maxHandset = 64 << 20

// narrowed is the part of a capture that is of one handset.
type narrowed struct {
	file    string
	numbers []int // of its frames in the capture, in their order
}

// narrow writes the handset's frames into a file of their own, so that what is kept of streams is of its streams alone,
// however large the capture is. Speech is left out. The text is what tshark had against the capture.
func (r *reader) narrow(ctx context.Context, file string, p *Party) (n narrowed, complaint string, err error) {
	n.file = filepath.Join(r.dir, "handset.pcapng")
	args := append([]string{"-Y", p.filter(), "-w", n.file, "-P"}, withoutAnalysis...)
	size := 0
	complaint, err = r.read(ctx, file, withoutTCP, []string{"frame.number", "frame.cap_len"}, args, func(line []string) error {
		number, err := strconv.Atoi(line[0])
		if err != nil {
			return err
		}
		length, err := strconv.Atoi(line[1])
		if err != nil {
			return err
		}
		n.numbers = append(n.numbers, number)
		if size += length; size > maxHandset {
			return fmt.Errorf("%w: the frames of this handset have more than %d bytes; cut the capture to a boot: editcap -A START -B END", ErrNoCapture, maxHandset)
		}
		return nil
	})
	return n, complaint, err
}

// filter are the frames of a party, and the LLDP of its link. Where its link was not captured its addresses count.
func (p *Party) filter() string {
	var any []string
	if p.MAC != nil {
		mac := p.MAC.String()
		any = append(any, "eth.addr == "+mac, "sll.src.eth == "+mac, "((udp.port == 67 || udp.port == 68) && udp.payload[28:6] == "+mac+")")
	}
	if !p.onLink || p.cooked {
		any = nil
		if p.MAC != nil {
			any = append(any, "((udp.port == 67 || udp.port == 68) && udp.payload[28:6] == "+p.MAC.String()+")", "sll.src.eth == "+p.MAC.String())
		}
		for _, addr := range p.Addresses {
			if addr.Is4() {
				any = append(any, "ip.addr == "+addr.String())
			} else {
				any = append(any, "ipv6.addr == "+addr.String())
			}
		}
	}
	any = append(any, "eth.type == 0x88cc", "vlan.etype == 0x88cc", "sll.etype == 0x88cc")
	return "(" + strings.Join(any, " || ") + ") && !(udp && !(udp.port == 53 || udp.port == 67 || udp.port == 68 || udp.port == 123))"
}
