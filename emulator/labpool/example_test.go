package labpool_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/secret"
)

// The zero Config is a lab that a phone boots in. The phone is a station on the pool's cable; the pool tells when it
// sees the phone registered, and how the phone signs off.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	pool, err := labpool.Start(labpool.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	station, err := pool.Cable().Join(ethernet.StationConfig{Name: "phone", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0, 0, 1}})
	if err != nil {
		log.Fatal(err)
	}
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		log.Fatal(err)
	}
	phone, err := handset.New(profile, station)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := phone.Boot(ctx, handset.Credentials{Number: "1219", PIN: secret.New("0712")}); err != nil {
		log.Fatal(err)
	}
	registration, err := pool.AwaitRegistered(ctx, "1219")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(registration.SIP, registration.State)

	if err := phone.Close(); err != nil {
		log.Fatal(err)
	}
	if registration, err = pool.AwaitSignedOff(ctx, "kenmyer@litwareinc.com"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(registration.SIP, registration.State)
	// Output:
	// sip:kenmyer@litwareinc.com registered
	// sip:kenmyer@litwareinc.com signed-off
}

// A fault is a field of Config, or a call while the pool runs.
func ExamplePool_SetFault() {
	pool, err := labpool.Start(labpool.Config{Faults: []string{"register=503:2"}})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if err := pool.SetFault("ticket=wrong-pin", "1219"); err != nil {
		log.Fatal(err)
	}
	for _, fault := range pool.Faults() {
		fmt.Printf("%s %q\n", fault.Fault, fault.User)
	}
	// Output:
	// register=503:2 ""
	// ticket=wrong-pin "sip:kenmyer@litwareinc.com"
}
