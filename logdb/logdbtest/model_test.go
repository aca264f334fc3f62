package logdbtest_test

import (
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
)

// opener keeps models by path, so that they survive Close as files would.
func opener() logdbtest.Open {
	var mu sync.Mutex
	models := map[string]*logdbtest.Model{}
	return func(_ testing.TB, cfg logdbtest.Config) logdb.Store {
		mu.Lock()
		defer mu.Unlock()
		if models[cfg.Path] == nil {
			models[cfg.Path] = logdbtest.NewModel(cfg)
		}
		return models[cfg.Path]
	}
}

// TestModelRandom plays the model against itself: it checks the generators, that answers do not
// contradict each other, and that a replay of everything into another node loses nothing.
func TestModelRandom(t *testing.T) {
	t.Parallel()
	logdbtest.RunRandom(t, opener(), logdbtest.Seeds(1, 45)...)
}

// TestModelRules checks that the rules of the suite are those of the model.
func TestModelRules(t *testing.T) {
	t.Parallel()
	logdbtest.Run(t, opener())
}
