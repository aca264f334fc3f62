// A Modbus server of the npm package modbus-serial. Arguments: [--serial PORT] UNIT:MODE:IMAGE ... (see
// process_test.go for the modes). Prints its port when it listens; ends when standard input does.
"use strict";
const fs = require("fs");
const { ServerTCP, ServerSerial } = require("modbus-serial");

const units = new Map();
const args = process.argv.slice(2);
const port = args[0] === "--serial" ? args.splice(0, 2)[1] : "";
for (const arg of args) {
    const [unit, mode, path] = arg.split(":");
    const image = new Map();
    for (const line of fs.readFileSync(path, "utf8").split("\n")) {
        const [at, words] = line.split(":");
        if (!words || line.startsWith("#")) continue;
        words.trim().split(/\s+/).forEach((w, i) => image.set(parseInt(at, 16) + i, parseInt(w, 16)));
    }
    units.set(Number(unit), { mode, image, asked: 0 });
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
    if (u.mode === "slow") return setTimeout(() => callback(null, values), 700);
    callback(null, values);
}

// The library asks for a single register by another name.
const vector = {
    getMultipleHoldingRegisters: read,
    getMultipleInputRegisters: read,
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
