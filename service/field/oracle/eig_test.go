package oracle_test

import (
	"metermanager/logdb"
	"metermanager/service/field/device"
)

// sharkUnverified is what the manual of the Shark 200 that was read does not print.
var sharkUnverified = []logdb.ChannelKey{
	"readings.power.watts.", "readings.power.vars.", "readings.power.va.", "readings.power.factor.", "energy.", "demand.", "thd.",
}

// eigMakes are the meters of EIG.
var eigMakes = []meterMake{
	{
		profile: "eig-shark-200", image: "shark200-all.regs", found: "eig-shark-200", unverified: sharkUnverified,
		who: who{name: "Feeder 7 West", serial: "0200765432", firmware: "0073", clock: "2049-10-12 09:35:07 DST", hookup: "wye", ct: 80, pt: 277.0 / 120},
		reads: map[logdb.ChannelKey]reading{
			"readings.voltage.an": good(277.5), "readings.voltage.bn": good(276.25), "readings.voltage.cn": good(278.125),
			"readings.voltage.ab": good(480), "readings.voltage.bc": good(479.5), "readings.voltage.ca": good(481.25),
			"readings.current.a": good(101.5), "readings.current.b": good(99.75), "readings.current.c": good(102.25), "readings.current.n": good(1.75),
			"readings.power.watts": good(80125.5), "readings.power.vars": good(-12500.25), "readings.power.va": good(81250),
			"readings.power.factor": good(-0.984375), "readings.frequency": good(60.015625),
			"readings.power.watts.a": good(27000.5), "readings.power.watts.b": good(26000.25), "readings.power.watts.c": bad(device.Invalid),
			"readings.power.vars.a": good(-4000.5), "readings.power.vars.b": good(-4250.25), "readings.power.vars.c": good(-4249.5),
			"readings.power.va.a": good(27500), "readings.power.va.b": bad(device.Invalid), "readings.power.va.c": good(27249.5),
			"readings.power.factor.a": good(0.96875), "readings.power.factor.b": good(-0.9921875), "readings.power.factor.c": {1.5, device.OutOfRange},
			"energy.total.wh.received": good(1234567800), "energy.total.wh.delivered": good(12300), "energy.total.vah": good(9999999900),
			"energy.total.varh.received": good(456700), "energy.total.varh.delivered": good(8900),
			"energy.interval.wh.received": good(25000), "energy.interval.wh.delivered": good(200), "energy.interval.vah": good(26000),
			"energy.interval.varh.received": good(3100), "energy.interval.varh.delivered": good(400),
			"demand.max.watts.positive": good(95000.5), "demand.max.watts.negative": good(1250.5),
			"demand.max.vars.positive": good(15000.25), "demand.max.vars.negative": good(12750.5), "demand.max.va": good(96000),
			"demand.max.factor.positive": good(0.9765625), "demand.max.factor.negative": good(0.953125),
			"thd.voltage.a": good(0.0258), "thd.voltage.b": good(0.0255), "thd.voltage.c": bad(device.Invalid),
			"thd.current.a": good(0.1234), "thd.current.b": good(0.0001), "thd.current.c": good(1),
		},
	},
	{
		profile: "eig-shark-200s", image: "shark200s.regs", found: "eig-shark-200", unverified: sharkUnverified, // they say the same of themselves
		who: who{name: "Roof PV", serial: "0S20098765", firmware: "0102", clock: "2026-01-31 23:59:58", hookup: "wye-2.5el", ct: 2000, pt: 60},
		reads: map[logdb.ChannelKey]reading{
			"readings.voltage.an": good(7200.5), "readings.voltage.bn": good(7199.25), "readings.voltage.cn": good(7201.75),
			"readings.voltage.ab": good(12470.5), "readings.voltage.bc": good(12471.25), "readings.voltage.ca": good(12469.75),
			"readings.current.a": good(1500.5), "readings.current.b": good(1501.25), "readings.current.c": good(1499.75), "readings.current.n": good(12.5),
			"readings.power.watts": good(-32_250_000), "readings.power.vars": good(1_250_000), "readings.power.va": good(32_500_000),
			"readings.power.factor": good(-1), "readings.frequency": good(49.984375),
			"readings.power.watts.a": good(-10_750_000), "readings.power.watts.b": good(-10_500_000), "readings.power.watts.c": good(-11_000_000),
			"readings.power.vars.a": good(416_000), "readings.power.vars.b": good(417_000), "readings.power.vars.c": good(418_000),
			"readings.power.va.a": good(10_800_000), "readings.power.va.b": good(10_600_000), "readings.power.va.c": good(11_100_000),
			"readings.power.factor.a": good(-0.99609375), "readings.power.factor.b": good(-0.98828125), "readings.power.factor.c": {-1.25, device.OutOfRange},
			"energy.total.wh.received": good(21_000), "energy.total.wh.delivered": good(9_999_999_000), "energy.total.vah": good(8_888_888_000),
			"energy.total.varh.received": good(654_321_000), "energy.total.varh.delivered": good(7_000),
			"energy.interval.wh.received": good(1_000), "energy.interval.wh.delivered": good(8_062_000), "energy.interval.vah": good(8_125_000),
			"energy.interval.varh.received": good(312_000), "energy.interval.varh.delivered": good(3_000),
			"demand.max.watts.positive": good(0.5), "demand.max.watts.negative": good(33_000_000),
			"demand.max.vars.positive": good(2_000_000), "demand.max.vars.negative": bad(device.Invalid), "demand.max.va": good(33_250_000),
			"demand.max.factor.positive": good(0.875), "demand.max.factor.negative": good(0.75),
			"thd.voltage.a": good(0.0003), "thd.voltage.b": good(0.0005), "thd.voltage.c": good(0.0004),
			"thd.current.a": good(0.0101), "thd.current.b": bad(device.Invalid), "thd.current.c": good(0.0102),
		},
	},
	{
		profile: "eig-shark-100", image: "shark100.regs", found: "eig-shark-200",
		who: who{name: "Oracle 200", serial: "0061234501", firmware: "0061", hookup: "wye", ct: 80, pt: 277.0 / 120},
		reads: map[logdb.ChannelKey]reading{
			"readings.voltage.an": good(120.25), "readings.voltage.bn": good(230.5), "readings.voltage.cn": good(119.5),
			"readings.voltage.ab": good(208), "readings.voltage.bc": good(208.25), "readings.voltage.ca": good(207.75),
			"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75), "readings.current.n": good(0.5),
			"readings.power.watts": good(1875.5), "readings.power.vars": good(-250.25), "readings.power.va": good(1892),
			"readings.power.factor": good(0.75), "readings.frequency": good(59.96875),
			"energy.total.wh.received": good(1000010), "energy.total.wh.delivered": good(10000),
			"energy.total.varh.received": good(770), "energy.total.varh.delivered": good(330), "energy.total.vah": good(42949670),
		},
	},
	{
		profile: "eig-mp200", image: "mp200.regs", found: "eig-shark-200", foundByZeros: true, unverified: []logdb.ChannelKey{"readings.", "session_port"},
		who: who{name: "Riser B", serial: "0166703021", firmware: "0045", clock: "2026-02-28 00:00:01"},
		reads: map[logdb.ChannelKey]reading{
			"readings.voltage.an": good(125.33361), "readings.frequency": good(59.953125), "session_port": good(2),
		},
	},
	{
		profile: "eig-nexus-1252", image: "nexus1252.regs", unverified: []logdb.ChannelKey{"energy."},
		who: who{clock: "2026-11-23 12:30:05.25"},
		reads: map[logdb.ChannelKey]reading{
			"readings.power.vars.a": good(-1.25), "energy.total.vah": good(105341284), "energy.total.wh.received": good(12345678000),
		},
	},
	{
		profile: "eig-nexus-1252", image: "nexus1252-bad.regs", unverified: []logdb.ChannelKey{"energy."},
		reads: map[logdb.ChannelKey]reading{
			"readings.power.vars.a": good(2147483647.0 / 65536), "energy.total.vah": bad(device.Invalid), "energy.total.wh.received": bad(device.Invalid),
		},
	},
}
