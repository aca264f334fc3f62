package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// AESSealer seals with AES-256-GCM under a master key that is kept outside the database.
type AESSealer struct{ aead cipher.AEAD }

var _ Sealer = (*AESSealer)(nil)

// NewSealer returns a sealer with a master key of 32 bytes.
func NewSealer(master []byte) (*AESSealer, error) {
	if len(master) != 32 {
		return nil, fmt.Errorf("a master key of %d bytes, want 32", len(master))
	}
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, fmt.Errorf("use the master key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use the master key: %w", err)
	}
	return &AESSealer{aead}, nil
}

const sealFormat = 1

// Seal encrypts plain.
func (s *AESSealer) Seal(plain []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	out := append([]byte{sealFormat}, nonce...)
	return s.aead.Seal(out, nonce, plain, nil), nil
}

// Open decrypts what Seal made with the same master key.
func (s *AESSealer) Open(sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < 1+n || sealed[0] != sealFormat {
		return nil, errors.New("open a sealed secret: unknown format")
	}
	plain, err := s.aead.Open(nil, sealed[1:1+n], sealed[1+n:], nil)
	if err != nil {
		return nil, fmt.Errorf("open a sealed secret: %w", err)
	}
	return plain, nil
}
