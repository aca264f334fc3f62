package clouddb

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"metermanager/cloudsync"
)

// ErrSealed is returned when a stored secret cannot be opened: the master key is another one.
var ErrSealed = errors.New("a stored secret cannot be opened with this master key")

func newSeal(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the master key has %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the master key: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealed encrypts a secret; place and destination are bound to it, so that nobody who can write the
// database can make one secret pass for another. The empty secret is stored as NULL.
func (s *Store) sealed(d cloudsync.DestinationID, place string, secret cloudsync.Secret) []byte {
	if secret == "" {
		return nil
	}
	nonce := make([]byte, s.seal.NonceSize())
	rand.Read(nonce) // never fails
	return s.seal.Seal(nonce, nonce, []byte(secret), additional(d, place))
}

func (s *Store) unseal(d cloudsync.DestinationID, place string, sealed []byte) (cloudsync.Secret, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	n := s.seal.NonceSize()
	if len(sealed) < n {
		return "", ErrSealed
	}
	plain, err := s.seal.Open(nil, sealed[:n], sealed[n:], additional(d, place))
	if err != nil {
		return "", ErrSealed
	}
	return cloudsync.Secret(plain), nil
}

func additional(d cloudsync.DestinationID, place string) []byte {
	return fmt.Appendf(nil, "cloud destination %d %s", d, place)
}
