package sipmessage_test

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// sip.md §4.3: specification examples, real logs and live traffic.
func TestInstanceUUID(t *testing.T) {
	for epid, want := range map[string]string{
		"01010101":       "4b1682a8-f968-5701-83fc-7c6741dc6697",
		"2ebb6f264f":     "124841e4-264d-52e8-96c5-d22aa8cdc316",
		"8248ca9ebb":     "4233fd41-093b-5fd6-b5d2-651ed55969e6",
		"a0ae9e6cb0":     "c1589240-e660-594f-a8b3-4b55f358cbc1",
		"451e9252b6":     "e0de506b-a705-59cc-9bfa-d37593141231",
		"2385f4c267":     "c2ac9957-2d32-5c48-87c9-e8f8bcb0cd28",
		"8213020FD0F0CV": "e8c7bf50-c217-51c8-a203-227ca4874333",
		"da47f63be0a6":   "a0c0ec03-d891-500d-9f69-e02230202db1",
	} {
		if got := sipmessage.FormatUUID(sipmessage.InstanceUUID(epid)); got != want {
			t.Errorf("epid %s: %s, want %s", epid, got, want)
		}
	}
	if got := sipmessage.FormatUUID(sipmessage.InstanceUUID(strings.ToLower("8213020FD0F0CV"))); !strings.HasPrefix(got, "6060ff25-") {
		t.Errorf("the epid's case does not matter: %s", got)
	}
}

// The name-based UUID of RFC 9562 is another one.
func TestInstanceUUIDIsNoVersion5(t *testing.T) {
	namespace := []byte{0xfc, 0xac, 0xfb, 0x03, 0x8a, 0x73, 0x46, 0xef, 0x91, 0xb1, 0xe5, 0xeb, 0xee, 0xab, 0xa4, 0xfe}
	sum := sha1.Sum(append(namespace, "01010101"...))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	stock := fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	if stock != "2fbbe037-0744-505e-9ce3-afe8a3a6b7c2" {
		t.Fatalf("the comparison is wrong: %s", stock)
	}
	if got := sipmessage.FormatUUID(sipmessage.InstanceUUID("01010101")); got == stock {
		t.Error("the instance is the stock uuid5")
	}
}

// sip.md §4.4.
func TestGRUU(t *testing.T) {
	for epid, want := range map[string]string{
		"a0ae9e6cb0":   "QJJYwWDmT1mos0tV81jLwQAA", // [MS-SIPREGE] 4.1
		"451e9252b6":   "a1De4AWnzFmb-tN1kxQSMQAA",
		"da47f63be0a6": "A-zAoJHYDVCfaeAiMCAtsQAA",
		"48a4a25bb1":   "4BYPlX2Wv1mCQSyyYpXsJQAA", // production pairs
		"69eb994c65":   "yrmRjH4GQVqJor-JE9ciowAA",
	} {
		full := "sip:user1@lab.test;opaque=user:epid:" + want + ";gruu"
		for _, aor := range []string{"sip:user1@lab.test", "user1@lab.test"} {
			if got := sipmessage.GRUU(aor, epid); got != full {
				t.Errorf("%s, epid %s: %s, want %s", aor, epid, got, full)
			}
		}
		d := sipmessage.InstanceUUID(epid)
		if raw, err := base64.URLEncoding.DecodeString(want); err != nil || string(raw) != string(d[:])+"\x00\x00" {
			t.Errorf("%s is %x, %v", want, raw, err)
		}
	}
}
