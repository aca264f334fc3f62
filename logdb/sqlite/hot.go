package sqlite

// hotStatements are those that an accepted page, or a meter that is decoded again, runs: the writer keeps them prepared.
var hotStatements = []string{
	loadMeter, loadStreams, loadFates, fateRows, deleteFates, insertFates, loadSeries, findChannel, insertChannel, insertSeries, loadClaim, saveStream, saveExtent, loadExtent, saveClaim,
	insertHead, findTargets, insertEntry, insertSample, readAdd, readVersions, readPatch, writeHide, writeShow, withoutShow, dropPatch,
	updateEntry, insertBatch, insertRaw, countSlots, insertSlot, countSeen, insertSeen, findStarts, insertWitness, readLedger, writeLedger, countChanges, findEnded,
	readHeads, readPatches, readChunks, readChunk, listChunks, listLogs, readHeadsByPosition, writeChunk, deleteChunk,
	readRolls, deleteRoll, insertRoll, deleteHead, readKept,
	isChange, isChanged, anyGone, listGone, findUnapplied, insertUnapplied, viewHas, findMeter, // a record that is changed asks these
	stepOfMeter, hasQuarter, writeQuarter, deleteArchived, chunkSize, emptyChunk, registerPart, // and a cell that is merged or moved
}
