package account

import "testing"

func TestWeakPasswords(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"aaaaaaaaaaaa", "abababababab", "1234567890", "0987654321", "qwertyuiop", "Qwertyuiop1", "abcdefghijkl", "1qaz2wsx3edc",
		"Password123!", "p4ssw0rd!!!!", "Welcome2026!", "ADMINISTRATOR1", "Summer2026!!", "anna-maria1", "annamaria12", "metermanager1",
	} {
		if weak("annamaria", password) == "" && weak("anna-maria", password) == "" {
			t.Errorf("%q is taken", password)
		}
	}
	for _, password := range []string{"a long password", "another password", "some password", "correct horse battery", "Zähler im Keller", "x7#kQ9!vB2", "annamaria likes amps"} {
		if why := weak("annamaria", password); why != "" {
			t.Errorf("%q: %s", password, why)
		}
	}
}

func FuzzWeak(f *testing.F) {
	f.Add("user", "Password123!")
	f.Add("", "\xff\x00")
	f.Fuzz(func(_ *testing.T, user, password string) {
		weak(user, password)
		_ = CheckPassword(user, password)
	})
}
