package pqdif

// The signature of every record and the types of records.
var (
	signature = mustGUID("4a111440-e49f-11cf-9900-505144494600")

	recordContainer   = mustGUID("89738606-f1c3-11cf-9d89-0080c72e70a3")
	recordDataSource  = mustGUID("89738619-f1c3-11cf-9d89-0080c72e70a3")
	recordSettings    = mustGUID("b48d858c-f5f5-11cf-9d89-0080c72e70a3")
	recordObservation = mustGUID("8973861a-f1c3-11cf-9d89-0080c72e70a3")
	recordBlank       = mustGUID("89738618-f1c3-11cf-9d89-0080c72e70a3")
)

// Tags of the container.
var (
	tagVersionInfo          = mustGUID("89738607-f1c3-11cf-9d89-0080c72e70a3")
	tagFileName             = mustGUID("89738608-f1c3-11cf-9d89-0080c72e70a3")
	tagCreation             = mustGUID("89738609-f1c3-11cf-9d89-0080c72e70a3")
	tagCompressionStyle     = mustGUID("8973861b-f1c3-11cf-9d89-0080c72e70a3")
	tagCompressionAlgorithm = mustGUID("8973861c-f1c3-11cf-9d89-0080c72e70a3")
)

// Tags of a data source.
var (
	tagSerialNumber   = mustGUID("b48d8585-f5f5-11cf-9d89-0080c72e70a3")
	tagVersion        = mustGUID("b48d8586-f5f5-11cf-9d89-0080c72e70a3")
	tagSourceName     = mustGUID("b48d8587-f5f5-11cf-9d89-0080c72e70a3")
	tagOwner          = mustGUID("b48d8588-f5f5-11cf-9d89-0080c72e70a3")
	tagLocation       = mustGUID("b48d8589-f5f5-11cf-9d89-0080c72e70a3")
	tagTimeZone       = mustGUID("b48d858a-f5f5-11cf-9d89-0080c72e70a3")
	tagChannelDefns   = mustGUID("b48d858d-f5f5-11cf-9d89-0080c72e70a3")
	tagOneChannelDefn = mustGUID("b48d858e-f5f5-11cf-9d89-0080c72e70a3")

	tagChannelName      = mustGUID("b48d8590-f5f5-11cf-9d89-0080c72e70a3")
	tagPhase            = mustGUID("b48d8591-f5f5-11cf-9d89-0080c72e70a3")
	tagQuantityType     = mustGUID("b48d8592-f5f5-11cf-9d89-0080c72e70a3")
	tagQuantityMeasured = mustGUID("c690e872-f755-11cf-9d89-0080c72e70a3")
	tagSeriesDefns      = mustGUID("b48d8598-f5f5-11cf-9d89-0080c72e70a3")
	tagOneSeriesDefn    = mustGUID("b48d859a-f5f5-11cf-9d89-0080c72e70a3")

	tagQuantityUnits   = mustGUID("b48d859b-f5f5-11cf-9d89-0080c72e70a3")
	tagValueType       = mustGUID("b48d859c-f5f5-11cf-9d89-0080c72e70a3")
	tagCharacteristic  = mustGUID("3d786f9e-f76e-11cf-9d89-0080c72e70a3")
	tagStorageMethod   = mustGUID("b48d85a1-f5f5-11cf-9d89-0080c72e70a3")
	tagNominalQuantity = mustGUID("0fa118c8-cb4a-11d2-b30b-fe25cb9a1760")
)

// Tags of monitor settings.
var (
	tagUseCalibration   = mustGUID("62f28180-f9c4-11cf-9d89-0080c72e70a3")
	tagUseTransducer    = mustGUID("62f28181-f9c4-11cf-9d89-0080c72e70a3")
	tagChannelSettings  = mustGUID("62f28182-f9c4-11cf-9d89-0080c72e70a3")
	tagOneSetting       = mustGUID("3d786f9a-f76e-11cf-9d89-0080c72e70a3")
	tagNominalFrequency = mustGUID("0fa118c3-cb4a-11d2-b30b-fe25cb9a1760")
	tagTriggerLow       = mustGUID("62f28185-f9c4-11cf-9d89-0080c72e70a3")
	tagTriggerHigh      = mustGUID("62f28186-f9c4-11cf-9d89-0080c72e70a3")
	tagSystemSideRatio  = mustGUID("62f2818a-f9c4-11cf-9d89-0080c72e70a3")
	tagMonitorSideRatio = mustGUID("62f2818b-f9c4-11cf-9d89-0080c72e70a3")
	tagCalOffset        = mustGUID("62f2818e-f9c4-11cf-9d89-0080c72e70a3")
	tagCalRatio         = mustGUID("62f2818f-f9c4-11cf-9d89-0080c72e70a3")
)

// Tags of an observation.
var (
	tagObservationName  = mustGUID("3d786f8a-f76e-11cf-9d89-0080c72e70a3")
	tagTimeStart        = mustGUID("3d786f8c-f76e-11cf-9d89-0080c72e70a3")
	tagTriggerMethod    = mustGUID("3d786f8d-f76e-11cf-9d89-0080c72e70a3")
	tagTimeTriggered    = mustGUID("3d786f8e-f76e-11cf-9d89-0080c72e70a3")
	tagChannelTriggers  = mustGUID("3d786f8f-f76e-11cf-9d89-0080c72e70a3")
	tagDisturbance      = mustGUID("b48d8597-f5f5-11cf-9d89-0080c72e70a3")
	tagChannelInstances = mustGUID("3d786f91-f76e-11cf-9d89-0080c72e70a3")
	tagOneChannelInst   = mustGUID("3d786f92-f76e-11cf-9d89-0080c72e70a3")

	tagChannelDefnIdx  = mustGUID("b48d858f-f5f5-11cf-9d89-0080c72e70a3")
	tagMagnitude       = mustGUID("2747d443-2bd0-11d2-ae42-0060083a2628")
	tagDuration        = mustGUID("2747d444-2bd0-11d2-ae42-0060083a2628")
	tagEventFrequency  = mustGUID("2747d445-2bd0-11d2-ae42-0060083a2628")
	tagChannelGroupID  = mustGUID("f90de218-e67b-4cf1-a295-b021a2d46767")
	tagSeriesInstances = mustGUID("3d786f93-f76e-11cf-9d89-0080c72e70a3")
	tagOneSeriesInst   = mustGUID("3d786f94-f76e-11cf-9d89-0080c72e70a3")

	tagBaseQuantity  = mustGUID("3d786f95-f76e-11cf-9d89-0080c72e70a3")
	tagSeriesScale   = mustGUID("3d786f96-f76e-11cf-9d89-0080c72e70a3")
	tagSeriesOffset  = mustGUID("3d786f97-f76e-11cf-9d89-0080c72e70a3")
	tagShareChannel  = mustGUID("8973861f-f1c3-11cf-9d89-0080c72e70a3")
	tagShareSeries   = mustGUID("89738620-f1c3-11cf-9d89-0080c72e70a3")
	tagSeriesValues  = mustGUID("3d786f99-f76e-11cf-9d89-0080c72e70a3")
	tagGroupName     = mustGUID("b48d8594-f5f5-11cf-9d89-0080c72e70a3")
	tagValueTypeName = mustGUID("b48d859d-f5f5-11cf-9d89-0080c72e70a3")
)
