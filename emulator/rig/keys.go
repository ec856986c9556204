package rig

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

// Keyring hands out RSA keys that were made once, because making one costs more than a boot. The zero Keyring is empty.
type Keyring struct {
	mu   sync.Mutex
	keys map[int][]*rsa.PrivateKey
}

// Source returns a source of keys whose n-th call for a size gives the ring's n-th key of that size.
func (k *Keyring) Source() func(bits int) (*rsa.PrivateKey, error) {
	var mu sync.Mutex
	used := map[int]int{}
	return func(bits int) (*rsa.PrivateKey, error) {
		mu.Lock()
		n := used[bits]
		used[bits]++
		mu.Unlock()
		return k.key(bits, n)
	}
}

func (k *Keyring) key(bits, n int) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[int][]*rsa.PrivateKey{}
	}
	for len(k.keys[bits]) <= n {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		k.keys[bits] = append(k.keys[bits], key)
	}
	return k.keys[bits][n], nil
}
