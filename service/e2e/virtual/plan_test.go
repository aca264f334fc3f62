package virtual_test

import (
	"testing"

	"metermanager/service/e2e/virtual"
)

// fixedSeeds are what every test run plays: together they hold every sort of event, every trouble of a link and
// every fault of a meter.
var fixedSeeds = []uint64{
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	17, 25, 35, 45, 54, 201, 261, 374, 400, 441, 513, 745, 1009, 1225, 1497, 1676, 500568, 600046, 700226, 710062, 710077, 720297, 720331, 1100352, 2001124, 3000025, 20000000, 20000001, 20000006,
	20100069, 22500128, 24000765, 30000000, 30000012, 31500843, 33005024, 40000715, 40000745, 40001202, 40002026, 40002431, 40002927, 40002975, 40003491, 40000322, 40000352, 43000090, 51000010, 56000407, 41000005, 41000012, 41000018, 70000000, 70000001, 70000002, 70000003, 70000691, 70000954, 72000540, 76000501, 77000021, 77000095, 79000429, 89000456, 94001015,
}

// The fixed seeds keep their promise when plans are drawn in another way: then others are to be chosen.
func TestFixedSeedsHoldEverything(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for _, first := range []uint64{1, virtual.FirstOfOld, virtual.FirstOfReduced, virtual.FirstOfClocks, virtual.FirstOfOthers, virtual.FirstOfShort} {
		for seed := first; seed < first+5000; seed++ {
			for _, what := range virtual.NewPlan(seed).Contents() {
				want[what] = true
			}
		}
	}
	for _, seed := range fixedSeeds {
		for _, what := range virtual.NewPlan(seed).Contents() {
			delete(want, what)
		}
	}
	for what := range want {
		t.Errorf("no fixed seed holds %q", what)
	}
}
