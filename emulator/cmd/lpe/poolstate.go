package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

// writer writes what a pool has answered.
type writer func(io.Writer, any) error

func (m manager) await() *cobra.Command {
	var timeout time.Duration
	c := m.command("await USER STATE", "Wait until a user is in a state",
		"await ends when the user is in the state, at once if he is already, or with exit code 1 after --timeout. STATE is one of\n"+
			"registered, signed-off, removed, expired   the latest registration of one of his endpoints\n"+
			"ticketed                                   a web ticket was issued since the pool started, and has not expired\n"+
			"enrolled                                   a certificate is published for him\n"+
			"refused                                    the last request that named him was refused\n"+
			strings.TrimSpace(ofUser),
		"  lpe pool await 1219 registered --timeout 2m --pool pool.json", 2, 2,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			if timeout <= 0 {
				return nil, usage("--timeout must be more than 0")
			}
			return pool.Await(ctx, args[0], args[1], timeout)
		})
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait, an hour at most")
	return c
}

func (m manager) registrations() *cobra.Command {
	var drop bool
	c := m.command("registrations", "List the endpoints that are or were registered",
		"registrations prints the endpoints of all users, those that are registered and the last that were.",
		"  lpe pool registrations --pool pool.json\n  lpe pool registrations --drop-sa --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) {
			if drop {
				return pool.DropAssociations(ctx)
			}
			return pool.Registrations(ctx)
		})
	c.Flags().BoolVar(&drop, "drop-sa", false, "let the registrars forget every security association, as after a restart")
	return c
}

func (m manager) certificates() *cobra.Command {
	c := m.command("certificates", "List or revoke the certificates of handsets",
		"certificates prints the certificates that are published for handsets, as Get-CsClientCertificate does.",
		"  lpe pool certificates --pool pool.json\n  lpe pool certificates revoke 1219 --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) { return pool.Certificates(ctx) })
	c.AddCommand(m.command("revoke USER [DEVICE]", "Revoke the certificates of a user, or of one device",
		"revoke does what Revoke-CsClientCertificate does, and prints what is revoked. DEVICE is the deviceId, a UUID."+ofUser,
		"  lpe pool certificates revoke 1219 --pool pool.json", 1, 2,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.Revoke(ctx, args[0], strings.Join(args[1:], ""))
		}))
	return c
}

func (m manager) history() *cobra.Command {
	return m.printing("history [USER]", "Print what handsets asked, in order",
		"history prints what the pool has seen and done, a line each: time, what it was, protocol, peer, text, and in brackets whom it is about and how he was authenticated. Of each handset the last 1000 are kept."+ofUser,
		"  lpe pool history --pool pool.json\n  lpe pool history 1219 -o json --pool pool.json", 0, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.History(ctx, strings.Join(args, ""), 0)
		}, writeHistory)
}

func writeHistory(w io.Writer, value any) error {
	for _, e := range value.([]manage.Entry) {
		if _, err := fmt.Fprintln(w, e); err != nil {
			return err
		}
	}
	return nil
}

func (m manager) fault() *cobra.Command {
	var user string
	c := m.command("fault", "List, set or clear the faults of a pool",
		"fault prints the faults that strike, with the times that are left. See 'lpe boot --list-faults' for all there are.",
		"  lpe pool fault --pool pool.json\n  lpe pool fault set register=503:2 --pool pool.json\n  lpe pool fault clear --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) { return pool.Faults(ctx) })
	set := m.command("set STAGE=KIND[:PARAM]", "Let a fault strike from now on",
		"set lets a fault strike at once, and prints those that do. One that has nothing to strike in this pool is refused with the reason.",
		"  lpe pool fault set register=503:2 --pool pool.json\n  lpe pool fault set ticket=wrong-pin --user 1219 --pool pool.json", 1, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.SetFault(ctx, args[0], user)
		})
	set.Flags().StringVar(&user, "user", "", "whom a fault of the directory strikes (default: the lab's first user with a number)")
	c.AddCommand(set, m.command("clear [STAGE=KIND]", "End a fault, or all of them",
		"clear ends a fault at once, all of them if none is named, and prints those that are left.",
		"  lpe pool fault clear --pool pool.json", 0, 1,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.ClearFault(ctx, strings.Join(args, ""))
		}))
	return c
}

func (m manager) deregister() *cobra.Command {
	return m.command("deregister USER EVENT", "End the registrations of a user",
		"deregister ends every registration of a user, tells each endpoint by NOTIFY why, and waits for its answer. EVENT is rejected, unregistered or deactivated."+ofUser,
		"  lpe pool deregister 1219 unregistered --pool pool.json", 2, 2,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			return pool.Deregister(ctx, args[0], args[1])
		})
}

func (m manager) notify() *cobra.Command {
	var kind, file string
	c := m.command("notify USER EVENT", "Notify the endpoints of a user that have subscribed to an event",
		"notify sends a notification in each subscription, as BENOTIFY where the endpoint takes that, else as NOTIFY, and waits for the answers to the latter. EVENT is that of a SUBSCRIBE, such as vnd-microsoft-roaming-self."+ofUser,
		"  lpe pool notify 1219 vnd-microsoft-roaming-self --content-type application/vnd-microsoft-roaming-self+xml --body-file self.xml --pool pool.json", 2, 2,
		func(ctx context.Context, pool *manage.Client, args []string) (any, error) {
			body, err := readBody(ctx, m.sys, file)
			if err != nil {
				return nil, err
			}
			return nil, pool.Notify(ctx, args[0], manage.Notify{Event: args[1], ContentType: kind, Body: body})
		})
	c.Flags().StringVar(&kind, "content-type", "", "type of the body")
	c.Flags().StringVar(&file, "body-file", "", "file that holds the body, - for standard input (default: an empty body)")
	return c
}
