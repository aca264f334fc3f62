// A Modbus server of the npm package modbus-serial. Arguments: [--serial PORT] UNIT:MODE:IMAGE ... (see
// process_test.go for the modes); the mode session serves the logs of session.json besides, by the manual's description, but for
// those that need function 0x23. Prints its port when it listens; ends when standard input does.
"use strict";
const fs = require("fs");
const { dirname, join } = require("path");
const { ServerTCP, ServerSerial } = require("modbus-serial");

function load(image, path) {
    for (const line of fs.readFileSync(path, "utf8").split("\n")) {
        const [at, words] = line.split(":");
        if (!words || line.startsWith("#")) continue;
        words.trim().split(/\s+/).forEach((w, i) => image.set(parseInt(at, 16) + i, parseInt(w, 16)));
    }
}

const hex = (text) => Buffer.from(text.replace(/ /g, ""), "hex");

// records are those of a log's memory, at their indexes.
function records(spec) {
    const out = [Buffer.alloc(spec.size, 0xff)];
    hex(spec.filler).copy(out[0]);
    for (const r of spec.records || []) out.push(hex(r));
    if (spec.every_minute) {
        const [y, mo, d, h, mi, s] = hex(spec.every_minute.stamp);
        for (let i = 0; i < spec.every_minute.count; i++) {
            const at = new Date(Date.UTC(2000 + y, mo - 1, d, h, mi + i, s));
            const stamp = [at.getUTCFullYear() - 2000, at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()];
            out.push(Buffer.concat([Buffer.from(stamp), hex(spec.every_minute.data)]));
        }
    }
    return out;
}

// Session is a unit's log session. A capture is one filler only: without function 0x23 nobody can read more of it.
class Session {
    constructor(spec) {
        this.port = spec.port;
        this.logs = spec.logs.map((l) => ({ number: l.number, status: parseInt(l.status, 16), max: l.max, size: l.size, disabled: l.disabled, records: l.disabled ? [] : records(l) }));
        this.log = null;
        this.enable = this.per = this.repeats = this.index = this.moves = 0;
    }

    unready() { return this.moves % 5 === 4; }

    block(log) {
        const b = Buffer.alloc(32);
        if (log.disabled) {
            b.fill(0xff, 10, 12);
            return b;
        }
        b.writeUInt32BE(log.max, 0);
        b.writeUInt32BE(log.records.length, 4);
        b.writeUInt16BE(log.size, 8);
        b.writeUInt16BE(log === this.log ? this.port : 0, 10);
        log.records[0].copy(b, 12, 0, 6);
        log.records[log.records.length - 1].copy(b, 18, 0, 6);
        return b;
    }

    // overlay puts what the session shows over registers that are read, and moves on when the window's last one is among them.
    overlay(addr, values) {
        const put = (at, bytes) => {
            for (let i = 0; i < bytes.length; i += 2) {
                const k = at + i / 2 - addr;
                if (k >= 0 && k < values.length) values[k] = bytes.readUInt16BE(i);
            }
        };
        for (const log of this.logs) put(log.status, this.block(log));
        const word = Buffer.alloc(2);
        word.writeUInt16BE(this.enable);
        put(0xc34f, word);
        if (!this.log) return;
        const unready = this.unready(), head = Buffer.alloc(10), window = Buffer.alloc(246, 0xff);
        head.writeUInt16BE(this.port, 0);
        head.writeUInt16BE(this.enable, 2);
        head.writeUInt8(this.per, 4);
        head.writeUInt8(this.repeats, 5);
        head.writeUInt32BE(((unready ? 0xff000000 : 0) | this.index) >>> 0, 6);
        put(0xc34e, head);
        if (!unready) Buffer.concat(this.log.records.slice(this.index, this.index + this.per)).copy(window);
        put(0xc353, window);
        if (unready && addr <= 0xc351 && addr + values.length > 0xc351) this.moves++; // ready at the next reading
        if (!unready && addr <= 0xc3cd && addr + values.length > 0xc3cd && this.repeats) {
            this.index += this.per;
            this.moves++;
        }
    }

    write(at, v) {
        if (at === 0xc34f) {
            this.enable = v;
            this.log = (v & 0x80 && this.logs.find((l) => l.number === v >> 8 && !l.disabled)) || null;
            this.per = this.repeats = this.index = 0;
        } else if (this.log && at === 0xc350) {
            [this.per, this.repeats] = [v >> 8, v & 0xff];
        } else if (this.log && at === 0xc351) {
            this.index = ((v & 0xff) << 16) | (this.index & 0xffff);
        } else if (this.log && at === 0xc352) {
            this.index = (this.index & 0xff0000) | v;
        }
    }
}

const units = new Map();
const args = process.argv.slice(2);
const port = args[0] === "--serial" ? args.splice(0, 2)[1] : "";
for (const arg of args) {
    const [unit, mode, path] = arg.split(":");
    const image = new Map();
    load(image, path);
    const u = { mode, image, asked: 0 };
    if (mode === "session") {
        load(image, join(dirname(path), "session.regs"));
        u.session = new Session(JSON.parse(fs.readFileSync(join(dirname(path), "session.json"), "utf8")));
    }
    units.set(Number(unit), u);
}

function refuse(code) {
    const err = new Error("refused");
    err.modbusErrorCode = code;
    return err;
}

function read(addr, length, unitID, callback) {
    const u = units.get(unitID);
    if (!u) return; // not our unit: no answer
    u.asked++;
    if (u.mode === "absent") return callback(refuse(0x0b), []);
    if (u.mode === "busy" && u.asked % 3 === 1) return callback(refuse(6), []);
    const values = [];
    for (let a = addr; a < addr + length; a++) {
        const v = u.image.get(a);
        if (v === undefined && u.mode === "strict") return callback(refuse(2), []); // the library looks at the values of function 4 although there is an error
        values.push(v === undefined ? 0 : v);
    }
    if (u.session) u.session.overlay(addr, values);
    if (u.mode === "slow") return setTimeout(() => callback(null, values), 700);
    callback(null, values);
}

function write(addr, values, unitID, callback) {
    const u = units.get(unitID);
    if (!u) return;
    if (u.session) values.forEach((v, i) => u.session.write(addr + i, v));
    callback(null);
}

// The library asks for a single register by another name.
const vector = {
    getMultipleHoldingRegisters: read,
    getMultipleInputRegisters: read,
    setRegister: (addr, value, unitID, callback) => write(addr, [value], unitID, callback),
    setRegisterArray: (addr, values, unitID, callback) => write(addr, values, unitID, callback),
    getInputRegister: (addr, unitID, callback) => read(addr, 1, unitID, (err, values) => callback(err, values && values[0])),
    getHoldingRegister: (addr, unitID, callback) => read(addr, 1, unitID, (err, values) => callback(err, values && values[0])),
};
if (port) {
    const server = new ServerSerial(vector, { port, baudRate: 19200, unitID: 255 });
    server.on("initialized", () => console.log("port 0"));
    server.on("error", (err) => { console.error(err); process.exit(1); });
} else {
    const server = new ServerTCP(vector, { host: "127.0.0.1", port: "0", unitID: 255 });
    server.on("initialized", () => console.log("port " + server._server.address().port));
    server.on("socketError", () => {});
}
process.stdin.on("end", () => process.exit(0)).resume();
