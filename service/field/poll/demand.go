package poll

import (
	"strings"
	"time"

	"metermanager/logdb"
)

// demandBlock is the length of the blocks of which demand is told: power on average over a quarter of an hour, in blocks that
// follow each other on the clock, as most tariffs have it.
const demandBlock = logdb.Millis(15 * time.Minute / time.Millisecond)

// demandOf names the demand that an energy counter gives.
var demandOf = map[string]logdb.ChannelKey{
	"wh.received": "demand.max.watts.positive", "wh.delivered": "demand.max.watts.negative",
	"varh.received": "demand.max.vars.positive", "varh.delivered": "demand.max.vars.negative", "vah": "demand.max.va",
}

// Derived lists the channels that a Keeper makes of an energy counter.
func Derived(counter logdb.ChannelKey) []logdb.ChannelKey {
	energy, ok := strings.CutPrefix(string(counter), "energy.total.")
	if !ok {
		return nil
	}
	out := []logdb.ChannelKey{logdb.ChannelKey("energy.interval." + energy)}
	if key, ok := demandOf[energy]; ok {
		out = append(out, key)
	}
	return out
}

// block is a counter at the end of a block.
type block struct {
	at    logdb.Millis
	value float64
}

// demand returns the demand of the block that ends at a boundary: what the counter went up since the block began, by its length.
// There is none when the counter was not read exactly then, or went back meanwhile.
func (k *Keeper) demand(energy string, c *counter, s step, at logdb.Millis) (logdb.ChannelKey, float64, bool) {
	key, ok := demandOf[energy]
	if !ok {
		return "", 0, false
	}
	if s != stepUp && s != stepFirst {
		delete(k.blocks, energy) // rolled over or reset: the difference would be wrong
	}
	if at%demandBlock != 0 {
		return "", 0, false
	}
	before, known := k.blocks[energy]
	k.blocks[energy] = block{at, c.last}
	if !known || before.at != at-demandBlock || k.interval > demandBlock {
		return "", 0, false
	}
	return key, (c.last - before.value) / (float64(demandBlock) / 3_600_000), true
}
