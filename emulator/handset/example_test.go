package handset_test

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
	"github.com/phone-edition/lpe/emulator/timeline"
)

// A handset on a cable of its own with a lab's pool boots, and tells its states meanwhile.
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
	phone.Observe(func(o timeline.Observation) {
		if o.Kind == timeline.Transition {
			fmt.Println(o.State)
		}
	})
	out, err := phone.Boot(ctx, handset.Credentials{Number: "+12065551219", PIN: secret.New("0712")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.SIPAddress, "at", out.Registrar)
	if err := phone.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// LinkDetect
	// AddressAcquire
	// UpdateLookup
	// TimeSync
	// PoolDiscover
	// SignIn
	// RootChain
	// WebTicket
	// Enroll
	// Register
	// Provision
	// UpdateCheck
	// Ready
	// sip:kenmyer@litwareinc.com at atl-cs-001.litwareinc.com
}

// With a flash that another handset has filled, a handset boots without asking anybody who he is.
func ExampleWithFlash() {
	pool, err := labpool.Start(labpool.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		log.Fatal(err)
	}
	flash := &handset.MemoryFlash{}
	boot := func(c handset.Credentials) {
		station, err := pool.Cable().Join(ethernet.StationConfig{Name: "phone", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0, 0, 2}})
		if err != nil {
			log.Fatal(err)
		}
		defer station.Close()
		phone, err := handset.New(profile, station, handset.WithFlash(flash))
		if err != nil {
			log.Fatal(err)
		}
		defer phone.Close()
		out, err := phone.Boot(context.Background(), c)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out.Machine.State, "after", len(out.Visits), "states")
	}
	boot(handset.Credentials{Number: "1219", PIN: secret.New("0712")})
	boot(handset.Credentials{})
	// Output:
	// Ready after 13 states
	// Ready after 9 states
}

// A boot that fails is no error: the outcome says which stage met what.
func ExampleHandset_Boot() {
	pool, err := labpool.Start(labpool.Config{Faults: []string{"ticket=http-500"}})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	station, err := pool.Cable().Join(ethernet.StationConfig{Name: "phone", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0, 0, 3}})
	if err != nil {
		log.Fatal(err)
	}
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		log.Fatal(err)
	}
	profile.RetryAfter = time.Second // rather than the hardware's 10 s (inferred)
	phone, err := handset.New(profile, station)
	if err != nil {
		log.Fatal(err)
	}
	defer phone.Close()
	out, err := phone.Boot(context.Background(), handset.Credentials{Number: "1219", PIN: secret.New("0712")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Machine.State, out.Failure.Code)
	// Output:
	// Failed ticket.http-500
}

// Where a lab has a voice VLAN the port that the phone is plugged into has it too, as on a real switch: without it nobody
// answers the tagged DHCP of a phone that LLDP-MED told the VLAN.
func ExampleNew_voiceVLAN() {
	lab, err := configs.LoadLab("contoso")
	if err != nil {
		log.Fatal(err)
	}
	pool, err := labpool.Start(labpool.Config{Lab: lab})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	station, err := pool.Cable().Join(ethernet.StationConfig{
		Name: "phone", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0, 0, 4}, Port: ethernet.Port{Voice: lab.Network.VoiceVLAN},
	})
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
	defer phone.Close()
	out, err := phone.Boot(context.Background(), handset.Credentials{Number: "4034", PIN: secret.New("73915")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Machine.State, "at", out.Registrar, "in VLAN", lab.Network.VoiceVLAN)
	// Output:
	// Ready at lyncfe01.contoso.com in VLAN 200
}
